package dns

import (
	"fmt"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/countersign-id/countersign/proofing"
)

const (
	// mostRecords is how many records of an answer are looked at.
	mostRecords = 256
	// longest is how long an answer is remembered, whatever it says of itself.
	longest = time.Hour
)

// answer is what there is at a name.
type answer struct {
	records []proofing.CAARecord
	// alias is what the name stands for, where the resolver has not said what there is at that: it is asked for next.
	alias string
	holds time.Duration
}

var (
	unreadable = &fault{"the answer cannot be read"}
	tooMany    = &fault{"the answer has too many records"}
	endless    = &fault{"its aliases do not come to an end"}
)

// answered says whether a message answers the query, and leaves the parser behind its question.
func (q query) answered(wire []byte) (p dnsmessage.Parser, h dnsmessage.Header, ours bool) {
	h, err := p.Start(wire)
	if err != nil || !h.Response || h.ID != q.id || h.OpCode != 0 {
		return p, h, false
	}
	asked, err := p.AllQuestions()
	return p, h, err == nil && len(asked) == 1 && asked[0].Type == typeCAA && asked[0].Class == dnsmessage.ClassINET && named(asked[0].Name) == q.name
}

// named is a name as we write it. In upper or lower case it is the same (RFC 4343).
func named(n dnsmessage.Name) string {
	b := []byte(n.String())
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	if len(b) > 1 {
		b = b[:len(b)-1]
	}
	return string(b)
}

// read reads what the resolver answered. A resolver that only answers for its own zones may leave out
// where an alias leads to, so that it is none for us.
func (q query) read(p dnsmessage.Parser, h dnsmessage.Header) (answer, error) {
	r := reading{aliases: map[string]alias{}, records: map[string][]proofing.CAARecord{}, holds: map[string]uint32{}}
	if err := r.answers(&p); err != nil {
		return answer{}, err
	}
	negative, told, err := nothing(&p)
	if err != nil {
		return answer{}, err
	}
	code, err := extended(&p, h.RCode)
	switch {
	case err != nil:
		return answer{}, err
	case code != dnsmessage.RCodeSuccess && code != dnsmessage.RCodeNameError:
		return answer{}, &fault{"the resolver answers " + rcode(code)}
	case !h.RecursionAvailable:
		return answer{}, &fault{"the resolver answers for its own zones alone"}
	}
	at, ttl, ok := r.follow(q.name)
	switch records := r.records[at]; {
	case !ok:
		return answer{}, endless
	case len(records) > 0:
		return answer{records: records, holds: seconds(min(ttl, r.holds[at]))}, nil
	case at != q.name && !told && code == dnsmessage.RCodeSuccess:
		return answer{alias: at, holds: seconds(ttl)}, nil
	}
	return answer{holds: seconds(min(ttl, negative))}, nil
}

// extended is the code of the answer with the bits that are in its OPT record (RFC 6891 6.1.3): without them, some failures look like success.
func extended(p *dnsmessage.Parser, code dnsmessage.RCode) (dnsmessage.RCode, error) {
	if err := p.SkipAllAuthorities(); err != nil {
		return code, unreadable
	}
	for n := 0; ; n++ {
		h, err := p.AdditionalHeader()
		switch {
		case err == dnsmessage.ErrSectionDone:
			return code, nil
		case err != nil:
			return code, unreadable
		case n == mostRecords:
			return code, tooMany
		case h.Type == dnsmessage.TypeOPT:
			return h.ExtendedRCode(code), nil
		}
		if err := p.SkipAdditional(); err != nil {
			return code, unreadable
		}
	}
}

func rcode(c dnsmessage.RCode) string {
	names := map[dnsmessage.RCode]string{
		dnsmessage.RCodeFormatError: "FORMERR", dnsmessage.RCodeServerFailure: "SERVFAIL", dnsmessage.RCodeNotImplemented: "NOTIMP", dnsmessage.RCodeRefused: "REFUSED",
	}
	if s, ok := names[c]; ok {
		return s
	}
	return fmt.Sprintf("with the code %d", c)
}

func seconds(ttl uint32) time.Duration { return time.Duration(ttl) * time.Second }

// ttlOf reads the time of a record: with the highest bit set it is none (RFC 2181 8).
func ttlOf(h dnsmessage.ResourceHeader) uint32 {
	if h.TTL > 1<<31-1 {
		return 0
	}
	return h.TTL
}

type alias struct {
	target string
	ttl    uint32
}

// reading is the answer section, by owner.
type reading struct {
	aliases map[string]alias
	records map[string][]proofing.CAARecord
	holds   map[string]uint32
}

// follow goes from a name along its aliases; not ok if they do not come to an end.
func (r *reading) follow(name string) (at string, ttl uint32, ok bool) {
	at, ttl = name, uint32(longest/time.Second)
	for range len(r.aliases) + 1 {
		next, more := r.aliases[at]
		if !more {
			return at, ttl, true
		}
		at, ttl = next.target, min(ttl, next.ttl)
	}
	return at, ttl, false
}

func (r *reading) answers(p *dnsmessage.Parser) error {
	for n := 0; ; n++ {
		h, err := p.AnswerHeader()
		switch {
		case err == dnsmessage.ErrSectionDone:
			return nil
		case err != nil:
			return unreadable
		case n == mostRecords:
			return tooMany
		}
		switch {
		case h.Class == dnsmessage.ClassINET && h.Type == dnsmessage.TypeCNAME:
			c, err := p.CNAMEResource()
			if err != nil {
				return unreadable
			}
			r.aliases[named(h.Name)] = alias{named(c.CNAME), ttlOf(h)}
		case h.Class == dnsmessage.ClassINET && h.Type == typeCAA:
			c, err := p.UnknownResource()
			if err != nil {
				return unreadable
			}
			record, ok := readCAA(c.Data)
			if !ok {
				return unreadable
			}
			at, ttl := named(h.Name), ttlOf(h)
			if held, more := r.holds[at]; more {
				ttl = min(ttl, held)
			}
			r.records[at], r.holds[at] = append(r.records[at], record), ttl
		default: // signatures, and the DNAME behind a CNAME that is there too (RFC 6672 3.1)
			if err := p.SkipAnswer(); err != nil {
				return unreadable
			}
		}
	}
}

// readCAA reads the data of a CAA record (RFC 8659 4.1.1). Which tags there are is nothing of its form.
func readCAA(data []byte) (proofing.CAARecord, bool) {
	if len(data) < 2 || data[1] == 0 || len(data) < 2+int(data[1]) {
		return proofing.CAARecord{}, false
	}
	tag, value := data[2:2+int(data[1])], data[2+int(data[1]):]
	return proofing.CAARecord{Flags: data[0], Tag: string(tag), Value: string(value)}, true
}

// nothing finds how long it holds that there is nothing, which the zone's SOA says (RFC 2308 5). Without one it is not told, and holds for
// no time.
func nothing(p *dnsmessage.Parser) (ttl uint32, told bool, err error) {
	for n := 0; ; n++ {
		h, err := p.AuthorityHeader()
		switch {
		case err == dnsmessage.ErrSectionDone:
			return 0, false, nil
		case err != nil:
			return 0, false, unreadable
		case n == mostRecords:
			return 0, false, tooMany
		case h.Type != dnsmessage.TypeSOA || h.Class != dnsmessage.ClassINET:
			if err := p.SkipAuthority(); err != nil {
				return 0, false, unreadable
			}
			continue
		}
		soa, err := p.SOAResource()
		if err != nil {
			return 0, false, unreadable
		}
		return min(ttlOf(h), soa.MinTTL), true, nil
	}
}
