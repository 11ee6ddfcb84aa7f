package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// Setting is one setting of the configuration, as administrators see it.
type Setting struct {
	Path  string // "smtp.host"
	Value string // empty: it has none; of a secret "set"
	// Secret: its value is shown to nobody.
	Secret bool
	// Approved: it is of the policy that two administrators have approved, whatever the file says.
	Approved bool
	// Line of the file, or Variable of the environment, is where it came from otherwise; neither: it is the default.
	Line     int
	Variable string
}

const settingsPath = proofing.AdminPath + "/settings"

func (s *Site) settingRoutes() {
	s.mux.Handle("GET /admin/settings", s.look(s.console(s.showSettings)))
}

// showSettings shows the configuration to administrators alone: it names addresses and files of the machines.
func (s *Site) showSettings(w http.ResponseWriter, r *http.Request, o *officer) error {
	if !administers(o) {
		return proofing.ErrNotFound
	}
	page := templates.AdminSettings{AdminFrame: s.adminFrame(r, o, "settings", settingsPath), Find: strings.TrimSpace(r.URL.Query().Get("find")), All: s.Keep(r, settingsPath), Policy: s.Keep(r, policiesPath)}
	if page.Find != "" {
		page.Query = url.Values{"find": {page.Find}}
	}
	for _, set := range s.shown {
		if !strings.Contains(strings.ToLower(set.Path), strings.ToLower(page.Find)) {
			continue
		}
		section, _, _ := strings.Cut(set.Path, ".")
		if n := len(page.Sections); n == 0 || page.Sections[n-1].Name != section {
			page.Sections = append(page.Sections, templates.AdminSection{Name: section})
		}
		in := &page.Sections[len(page.Sections)-1]
		in.Settings = append(in.Settings, templates.AdminSetting{Path: set.Path, Value: set.Value, Secret: set.Secret, Approved: set.Approved, Line: set.Line, Variable: set.Variable})
	}
	return s.Render(w, r, http.StatusOK, page)
}
