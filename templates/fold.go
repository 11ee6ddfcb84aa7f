package templates

import (
	htmltemplate "html/template"
	"text/template/parse"
)

// fold puts words that are the same on every page into the template's own text, where a page has nothing to look up and
// nothing to escape: most of what a page says is such words. They are escaped as text, which suits an attribute
// in quotes as well; a template says words nowhere else.
func (w words) fold(t *htmltemplate.Template) {
	for _, each := range t.Templates() {
		if each.Tree != nil {
			w.foldList(each.Tree.Root)
		}
	}
}

func (w words) foldList(list *parse.ListNode) {
	if list == nil {
		return
	}
	for i, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			if text, ok := w.constant(n.Pipe); ok {
				list.Nodes[i] = &parse.TextNode{NodeType: parse.NodeText, Pos: n.Pos, Text: []byte(htmltemplate.HTMLEscapeString(text))}
			}
		case *parse.IfNode:
			w.foldBranches(&n.BranchNode)
		case *parse.WithNode:
			w.foldBranches(&n.BranchNode)
		case *parse.RangeNode:
			w.foldBranches(&n.BranchNode)
		}
	}
}

func (w words) foldBranches(b *parse.BranchNode) {
	w.foldList(b.List)
	w.foldList(b.ElseList)
}

// constant is what a pipeline always says: the language, or the words of a key without placeholders. A key that has no words
// is left to fail when it is drawn, with the name of its page.
func (w words) constant(p *parse.PipeNode) (string, bool) {
	if len(p.Decl) > 0 || len(p.Cmds) != 1 {
		return "", false
	}
	args := p.Cmds[0].Args
	name, ok := args[0].(*parse.IdentifierNode)
	if !ok {
		return "", false
	}
	var given []string
	for _, a := range args[1:] {
		s, ok := a.(*parse.StringNode)
		if !ok {
			return "", false
		}
		given = append(given, s.Text)
	}
	switch {
	case name.Ident == "lang" && len(given) == 0:
		return w.lang, true
	case name.Ident == "t" && len(given) == 1:
		text, ok := w.catalog[given[0]]
		return text, ok
	case name.Ident == "word" && len(given) == 2:
		text, err := w.word(given[0], given[1])
		return text, err == nil
	}
	return "", false
}
