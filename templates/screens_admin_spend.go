package templates

import "time"

// AdminSpend is what an authority has used of its budget and of its month, and what holds its text messages back, for those who run it.
type AdminSpend struct {
	AdminFrame
	CAs []AdminScope // the page chooses among several
	CA  string       // empty: there is none. "-": the service itself
	// Days are today's figures of all that the reader runs, where there are several.
	Days []DeskSpent
	More bool // there are more of these
	Day  DeskSpent
	// Month is what went out in the present month, of which there is no limit.
	MonthMessages, MonthMoney string
	Ends                      time.Time // of the day
	Administrator             bool
	Countries                 []AdminCountry
	Ranges                    []DeskBrake
	RangesMore                bool
	Brake                     AdminBrake
}

// Service says whether the page is of what the service itself has sent, and of no authority.
func (s AdminSpend) Service() bool { return s.CA == "-" }

// AdminCountry is what went to one country.
type AdminCountry struct {
	Country                                     string
	Today, Month, TodayMoney, MonthMoney, Price string
	Unanswered, Answered, Least, Usual          int64
	Known, Counted                              bool   // Counted: the brake looks at it
	Near                                        bool   // its bound is passed, or will be soon
	State                                       string // of the brake that holds: "holds" or "reports"; empty: none does
	ID                                          string
	Until                                       time.Time
}

// AdminBrake is how the brake is set.
type AdminBrake struct {
	Ranges, Countries string // modes: "enforce", "report" or "off"
	Window, Hold      time.Duration
	RangeLeast, Times int64
}

func (AdminSpend) page() string { return "adminspend" }
