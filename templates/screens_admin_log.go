package templates

import "time"

// AdminLog is the log, or what it tells of one object.
type AdminLog struct {
	AdminFrame
	Find string   // what was looked for, as it was typed
	Bad  *Problem // there is nothing, or nothing for this reader
	// Of and Object are what the entries are of; empty: of everything. ObjectHref is its page; empty: it has none.
	Of, Object, ObjectHref string
	Entries                []AdminLogged
	First, Next            string
	// Checkpoint is the last one, CheckpointFile where it is as a file, and Key what it is checked by; empty before the first.
	Checkpoint, CheckpointFile, Key string
}

// AdminLogged is one entry.
type AdminLogged struct {
	Place, Href                       string // in the log; empty while it waits for it
	At                                time.Time
	Kind                              string // as in proofing.EntryKind
	Of, Object, ObjectHref, ObjectLog string
	Number                            int64
	Actor                             string // "person", "ca", "operator" or "service"
	ActorID, Role                     string
	By, ByHref                        string // the name of who has done it, if the reader may know it
	Facts                             []AdminMember
	// Beside is what there is of the part beside the leaf: "none", "shown", "hidden" from this reader, or "erased".
	Beside  string
	Private []AdminMember
}

// AdminMember is a member of a JSON object. Its name is the log's own and is not translated.
type AdminMember struct{ Name, Value string }

// AdminEntry is one entry with its proof.
type AdminEntry struct {
	AdminFrame
	Back, Log      string // what else the log tells of the object, and the log
	Earlier, Later string // the places beside it; empty: none
	Entry          AdminLogged
	Leaf           string
	// Proof is the proof against the last checkpoint, and ProofFile where it is as a file; empty while there is none.
	Proof, ProofFile string
}

func (AdminLog) page() string   { return "adminlog" }
func (AdminEntry) page() string { return "adminentry" }
