package web

import "testing"

func TestEntriesThatAnItemIsGatheredOfAreNamed(t *testing.T) {
	var many []int64
	for n := range int64(40) {
		many = append(many, n+1)
	}
	for want, entries := range map[string][]int64{
		"#7 #9":                                  {7, 9},
		"#1 #2 #3 #4 #5 #6 #7 #8 #9 #10 #11 #12": many[:12],
		"#1 #2 #3 #4 #5 #6 #7 #8 #9 #10 #11 … #40": many,
	} {
		if got := entriesNamed(entries); got != want {
			t.Errorf("%v: %q, want %q", entries, got, want)
		}
	}
}
