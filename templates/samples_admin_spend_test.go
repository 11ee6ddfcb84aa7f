package templates

import "time"

// adminSpendSamples are the pages of what was spent.
func adminSpendSamples() map[string]Screen {
	page := AdminSpend{
		AdminFrame: adminFrame("spend", "/admin/spend/example"), CA: "example", Administrator: true,
		CAs:           []AdminScope{{Title: "Example CA", Href: "/admin/spend/example", Here: true}, {Title: "Other <CA>", Href: "/admin/spend/other"}, {Service: true, Href: "/admin/spend/-"}},
		Day:           DeskSpent{State: "near", Messages: "4302", MostMessages: "5000", LeftOver: "698", Money: "12.40", MostMoney: "50.00", LeftMoney: "37.60"},
		MonthMessages: "91234", MonthMoney: "310.05", Ends: at.Truncate(24 * time.Hour).Add(24 * time.Hour),
		Countries: []AdminCountry{
			{Country: "GB", Today: "310", Month: "4120", TodayMoney: "10.85", MonthMoney: "144.20", Price: "0.03", Unanswered: 40, Answered: 160, Least: 200, Usual: 78, Known: true, Counted: true},
			{Country: "DE", Today: "201", Month: "230", TodayMoney: "15.07", MonthMoney: "17.25", Price: "0.07", Unanswered: 190, Answered: 11, Least: 200, Usual: 60, Counted: true, Near: true},
			{Country: "FR", Today: "402", Month: "410", TodayMoney: "26.13", MonthMoney: "26.65", Price: "0.06", Unanswered: 390, Answered: 12, Least: 200, Usual: 60, Counted: true, Near: true, State: "holds", ID: "0brake2", Until: at.Add(time.Hour)},
			{Country: "AT", Today: "220", Month: "220", TodayMoney: "14.30", MonthMoney: "14.30", Price: "0.06", Unanswered: 215, Answered: 5, Least: 200, Usual: 60, Counted: true, Near: true, State: "reports", ID: "0brake3", Until: at.Add(time.Hour)},
		},
		Ranges: []DeskBrake{
			{ID: "0brake1", Scope: "range", Place: "+44740012••••", State: "holds", Unanswered: 31, Answered: 2, Usual: 60, Refused: 14, At: at.Add(-time.Hour), Until: at.Add(time.Hour)},
			{ID: "0brake4", Scope: "range", Place: "+49170123••••", State: "lifted", Unanswered: 25, Answered: 1, Usual: 71, Known: true, Refused: 2, At: at.Add(-30 * time.Hour), Until: at.Add(-29 * time.Hour)},
		},
		RangesMore: true, Brake: AdminBrake{Ranges: "enforce", Countries: "report", Window: time.Hour, Hold: time.Hour, RangeLeast: 20, Times: 3},
		Days: []DeskSpent{
			{CA: "example", Title: "Example CA", State: "near", Messages: "4302", MostMessages: "5000", LeftOver: "698", Money: "12.40", MostMoney: "50.00", LeftMoney: "37.60", Href: "/admin/spend/example"},
			{CA: "other", Title: "Other <CA>", State: "fine", Messages: "3", MostMessages: "5000", LeftOver: "4997", Money: "0.00", MostMoney: "50.00", LeftMoney: "50.00", Href: "/admin/spend/other"},
		},
		More: true,
	}
	own, none, service, nowhere := page, page, page, page
	own.Administrator, own.CAs, own.Days, own.More, own.RangesMore = false, nil, nil, false, false
	own.Ranges = []DeskBrake{{Scope: "range", Place: "GB", State: "holds", At: at.Add(-time.Hour), Until: at.Add(time.Hour)}}
	own.Day.State, own.Day.Messages, own.Day.LeftOver = "spent", "5000", "0"
	none.CAs, none.Days, none.More, none.Countries, none.Ranges, none.RangesMore, none.Administrator = nil, nil, false, nil, nil, false, false
	none.Day = DeskSpent{State: "fine", Messages: "0", MostMessages: "5000", LeftOver: "5000", Money: "0.00", MostMoney: "50.00", LeftMoney: "50.00"}
	none.MonthMessages, none.MonthMoney = "0", "0.00"
	none.Brake.Ranges, none.Brake.Countries = "off", "off"
	service.CA, service.Day = "-", none.Day
	service.Ranges, service.RangesMore, service.Days, service.More = nil, false, nil, false
	nowhere = AdminSpend{AdminFrame: adminFrame("spend", "/admin/spend")}
	return map[string]Screen{"admin-spend": page, "admin-spend-own": own, "admin-spend-none": none, "admin-spend-service": service, "admin-spend-nowhere": nowhere}
}
