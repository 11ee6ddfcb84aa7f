package templates

// AdminSettings are the settings of the configuration by their sections, for administrators.
type AdminSettings struct {
	AdminFrame
	Find     string // a part of names that was looked for
	All      string // where all of them are
	Policy   string // where the policy is
	Sections []AdminSection
}

// AdminSection is a section of the configuration. Its name is the file's own and is not translated.
type AdminSection struct {
	Name     string
	Settings []AdminSetting
}

// AdminSetting is one setting, with where it came from: the approved policy, a line of the file or a variable; none of them: it is the default.
type AdminSetting struct {
	Path, Value string
	Secret      bool // Value says at most that there is one
	Approved    bool
	Line        int
	Variable    string
}

func (AdminSettings) page() string { return "adminsettings" }
