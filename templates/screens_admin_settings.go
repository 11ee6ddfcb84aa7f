package templates

// AdminSettings are the settings of the configuration by their sections, for administrators.
type AdminSettings struct {
	AdminFrame
	Find     string // a part of names that was looked for
	All      string // where all of them are
	Sections []AdminSection
}

// AdminSection is a section of the configuration. Its name is the file's own and is not translated.
type AdminSection struct {
	Name     string
	Settings []AdminSetting
}

// AdminSetting is one setting, with the line of the file or the variable that it came from; neither: it is the default.
type AdminSetting struct {
	Path, Value string
	Secret      bool // Value says at most that there is one
	Line        int
	Variable    string
}

func (AdminSettings) page() string { return "adminsettings" }
