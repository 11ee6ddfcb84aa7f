package dns

import (
	"testing"

	mdns "github.com/miekg/dns"
)

// FuzzAnswer reads whatever a resolver may send. What it takes for records, the other library does too.
func FuzzAnswer(f *testing.F) {
	q := query{id: 1, name: "example.org"}
	m := new(mdns.Msg).SetQuestion("example.org.", mdns.TypeCAA)
	m.Id, m.Response, m.RecursionAvailable = 1, true, true
	for _, line := range []string{`example.org. 300 IN CNAME a.org.`, `a.org. 300 IN CAA 128 issue "ca.example; a=b"`, soa} {
		rr, err := mdns.NewRR(line)
		if err != nil {
			f.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
		wire, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		p, h, ours := q.answered(wire)
		if !ours {
			return
		}
		a, err := q.read(p, h)
		if err != nil || len(a.records) == 0 {
			return
		}
		if a.holds < 0 || a.holds > longest {
			t.Fatalf("holds %s", a.holds)
		}
		var other mdns.Msg
		if other.Unpack(wire) != nil {
			return // it is stricter with what comes behind
		}
		for _, r := range a.records {
			same := false
			for _, rr := range other.Answer {
				c, ok := rr.(*mdns.CAA)
				same = same || ok && c.Flag == r.Flags && c.Tag != "" && len(r.Tag) > 0
			}
			if !same {
				t.Fatalf("only we read %+v", r)
			}
		}
	})
}
