package templates

import (
	htmltemplate "html/template"
	"text/template/parse"
)

// reach is the part of a page's templates that its layout leads to. Whatever is in the set is kept in memory for each page and
// language, and most parts are for a few pages alone.
func reach(all *htmltemplate.Template, layout string, funcs htmltemplate.FuncMap) *htmltemplate.Template {
	page := htmltemplate.New("").Funcs(funcs)
	for names, seen := []string{layout}, map[string]bool{}; len(names) > 0; names = names[1:] {
		t := all.Lookup(names[0])
		if seen[names[0]] || t == nil || t.Tree == nil { // what there is not fails when the page is drawn, with its name
			continue
		}
		seen[names[0]] = true
		htmltemplate.Must(page.AddParseTree(names[0], t.Tree))
		names = append(names, called(t.Tree.Root)...)
	}
	return page
}

// called are the templates that a list calls.
func called(list *parse.ListNode) (names []string) {
	if list == nil {
		return nil
	}
	for _, n := range list.Nodes {
		var branch *parse.BranchNode
		switch n := n.(type) {
		case *parse.TemplateNode:
			names = append(names, n.Name)
		case *parse.IfNode:
			branch = &n.BranchNode
		case *parse.WithNode:
			branch = &n.BranchNode
		case *parse.RangeNode:
			branch = &n.BranchNode
		}
		if branch != nil {
			names = append(append(names, called(branch.List)...), called(branch.ElseList)...)
		}
	}
	return names
}
