// Package templates is every word that a person reads: pages, mails and text
// messages, in every language that is served. For each page and message there is
// a struct, and the struct is its contract: whoever fills it in needs to know
// nothing of markup, and whoever edits a page needs to know nothing of the program.
// The package imports nothing of ours, decides nothing and reads no clock.
package templates

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"io"
	"sync"
	texttemplate "text/template"
)

//go:embed pages/*.html messages/*.txt messages/*.html locales/*.json
var files embed.FS

// Screen is the data of one page: one of the structs of this package.
type Screen interface {
	page() string   // the name of its file in pages/
	layout() string // what is around it: "layout" for people, "desk" for operators, "admin" in the console
}

// Page draws a page in a language. It draws to memory first, so that a fault
// leaves no half page behind: w is written once, or not at all.
func Page(w io.Writer, lang string, s Screen) error {
	t, ok := drawn().pages[Match(lang)][s.page()]
	if !ok {
		return fmt.Errorf("templates: there is no page %q", s.page())
	}
	b := sheets.Get().(*bytes.Buffer)
	defer sheets.Put(b)
	b.Reset()
	if err := t.ExecuteTemplate(b, s.layout(), s); err != nil {
		return fmt.Errorf("templates: draw page %s: %w", s.page(), err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// sheets are what pages are drawn on: one that has grown to a page's size is used for the next. The collector takes those
// that nobody uses.
var sheets = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// sets are the parsed templates, one set a language, because the functions that
// find words are bound to their language when a template is parsed.
type sets struct {
	pages map[string]map[string]*htmltemplate.Template
	html  map[string]*htmltemplate.Template // the HTML parts of mails
	text  map[string]*texttemplate.Template // the plain parts of mails, and text messages
}

// drawn parses what is embedded. A fault in it is a fault of the build, which
// the package's tests meet first; hence the panics.
var drawn = sync.OnceValue(func() sets {
	s := sets{map[string]map[string]*htmltemplate.Template{}, map[string]*htmltemplate.Template{}, map[string]*texttemplate.Template{}}
	for _, lang := range Languages() {
		said := words{lang, catalogs()[lang]}
		funcs := said.funcs()
		shared := htmltemplate.Must(htmltemplate.New("").Funcs(funcs).ParseFS(files, "pages/layout.html", "pages/desk.html", "pages/admin.html", "pages/parts.html", "pages/panel.html", "pages/signpanel.html"))
		s.pages[lang] = map[string]*htmltemplate.Template{}
		for layout, names := range map[string][]string{"layout": pageNames, "desk": deskPages, "admin": adminPages} {
			for _, name := range names {
				t := reach(htmltemplate.Must(htmltemplate.Must(shared.Clone()).ParseFS(files, "pages/"+name+".html")), layout, funcs)
				said.fold(t)
				s.pages[lang][name] = t.Option("missingkey=error")
			}
		}
		s.html[lang] = htmltemplate.Must(htmltemplate.New("").Funcs(funcs).ParseFS(files, "messages/*.html"))
		s.text[lang] = texttemplate.Must(texttemplate.New("").Funcs(funcs).ParseFS(files, "messages/*.txt"))
	}
	return s
})
