package dns

import (
	"container/list"
	"time"
)

// mostRemembered is how many bytes of answers are remembered. Those that nobody has asked for the longest go first.
const mostRemembered = 4 << 20

// entryCost is what an entry takes beside its texts, about.
const entryCost = 256

// cache remembers answers for as long as they hold.
type cache struct {
	entries map[string]*list.Element // of *entry
	used    list.List                // the latest first
	bytes   int
}

type entry struct {
	name   string
	answer answer
	until  time.Time
	bytes  int
}

func (c *cache) get(name string, now time.Time) (answer, bool) {
	e := c.entries[name]
	if e == nil {
		return answer{}, false
	}
	found := e.Value.(*entry)
	if !now.Before(found.until) {
		c.forget(e)
		return answer{}, false
	}
	c.used.MoveToFront(e)
	return found.answer, true
}

func (c *cache) put(name string, a answer, now time.Time) {
	if a.holds <= 0 {
		return
	}
	if e := c.entries[name]; e != nil {
		c.forget(e)
	}
	size := entryCost + len(name) + len(a.alias)
	for _, r := range a.records {
		size += entryCost/4 + len(r.Tag) + len(r.Value)
	}
	if c.entries == nil {
		c.entries = map[string]*list.Element{}
	}
	c.entries[name] = c.used.PushFront(&entry{name, a, now.Add(a.holds), size})
	for c.bytes += size; c.bytes > mostRemembered; {
		c.forget(c.used.Back())
	}
}

func (c *cache) forget(e *list.Element) {
	gone := c.used.Remove(e).(*entry)
	delete(c.entries, gone.name)
	c.bytes -= gone.bytes
}
