package store

import "sync"

// recent remembers the records that this process has last read or written, opened and decoded. A
// record is asked for again all the same, and what is remembered counts only if the store still has that version of it,
// which no other content ever has: what is saved is to bring it here, to open and to decode it, and, for a change, the
// asking itself (Table.Update).
//
// It is two maps: when the young one is full, it becomes the old one, and what
// of that nobody has asked for since is forgotten. It becomes that with time, too (Table.Age).
type recent[T any] struct {
	mu         sync.Mutex
	young, old map[string]*loaded[T]
	size       int // bytes in young
	oldSize    int // and in old
}

// The most that a generation holds, in bytes as stored and in records. Opened and decoded they take about
// twice as much again.
const (
	recentBytes = 8 << 20
	recentMost  = 8192
)

// get returns what is remembered; it must not be changed.
func (r *recent[T]) get(name string) *loaded[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.young[name]; l != nil {
		return l
	}
	l := r.old[name]
	if l != nil {
		r.add(name, l)
	}
	return l
}

func (r *recent[T]) put(name string, l *loaded[T]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(name, l)
}

// confirm notes that the store is sure to keep a record of that version.
func (r *recent[T]) confirm(name string, version uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, generation := range []map[string]*loaded[T]{r.young, r.old} {
		if was := generation[name]; was != nil && was.version == version {
			sure := *was // which others may be reading
			sure.sure = true
			generation[name] = &sure
		}
	}
}

func (r *recent[T]) add(name string, l *loaded[T]) {
	if r.young == nil {
		r.young = map[string]*loaded[T]{}
	}
	if was := r.young[name]; was != nil {
		r.size -= was.size
	}
	r.young[name] = l
	r.size += l.size
	if r.size > recentBytes || len(r.young) > recentMost {
		r.turn()
	}
}

func (r *recent[T]) turn() {
	r.old, r.oldSize = r.young, r.size
	r.young, r.size = nil, 0
}

func (r *recent[T]) age() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn()
}

func (r *recent[T]) bytes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.size + r.oldSize
}

// forget drops what may not be what is stored.
func (r *recent[T]) forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if was := r.young[name]; was != nil {
		r.size -= was.size
		delete(r.young, name)
	}
	if was := r.old[name]; was != nil {
		r.oldSize -= was.size
		delete(r.old, name)
	}
}
