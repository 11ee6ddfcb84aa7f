package templates

import (
	htmltemplate "html/template"
	"strconv"
	"text/template/parse"
)

// fold puts words that are the same on every page into the template's own text, where a page has nothing to look up and
// nothing to escape: most of what a page says is such words. They are escaped as text, which suits an attribute
// in quotes as well; a template says words nowhere else. What a page says for each language is written out for each.
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
		case *parse.ListNode:
			w.foldList(n)
		case *parse.ActionNode:
			if text, ok := w.constant(n.Pipe); ok {
				list.Nodes[i] = &parse.TextNode{NodeType: parse.NodeText, Pos: n.Pos, Text: []byte(htmltemplate.HTMLEscapeString(text))}
			}
		case *parse.IfNode:
			if taken, ok := w.taken(n); ok {
				w.foldList(taken)
				list.Nodes[i] = taken
				continue
			}
			w.foldBranches(&n.BranchNode)
		case *parse.WithNode:
			w.foldBranches(&n.BranchNode)
		case *parse.RangeNode:
			if all, ok := forEachLanguage(n); ok {
				w.foldList(all)
				list.Nodes[i] = all
				continue
			}
			w.foldBranches(&n.BranchNode)
		}
	}
}

// taken is the branch that "if eq" of two constants always takes.
func (w words) taken(n *parse.IfNode) (*parse.ListNode, bool) {
	if len(n.Pipe.Decl) > 0 || len(n.Pipe.Cmds) != 1 || len(n.Pipe.Cmds[0].Args) != 3 || n.ElseList == nil {
		return nil, false
	}
	args := n.Pipe.Cmds[0].Args
	if f, ok := args[0].(*parse.IdentifierNode); !ok || f.Ident != "eq" {
		return nil, false
	}
	a, known := w.constantArg(args[1])
	b, too := w.constantArg(args[2])
	if !known || !too {
		return nil, false
	}
	if a == b {
		return n.List, true
	}
	return n.ElseList, true
}

// forEachLanguage writes "range $l := languages" out: its list once for each language, with the language in the place of $l.
func forEachLanguage(n *parse.RangeNode) (*parse.ListNode, bool) {
	if len(n.Pipe.Decl) != 1 || n.Pipe.IsAssign || len(n.Pipe.Cmds) != 1 || len(n.Pipe.Cmds[0].Args) != 1 {
		return nil, false
	}
	if f, ok := n.Pipe.Cmds[0].Args[0].(*parse.IdentifierNode); !ok || f.Ident != "languages" {
		return nil, false
	}
	all := &parse.ListNode{NodeType: parse.NodeList, Pos: n.Pos}
	for _, l := range Languages() {
		once := n.List.CopyList()
		put(once, n.Pipe.Decl[0].Ident[0], &parse.StringNode{NodeType: parse.NodeString, Pos: n.Pos, Quoted: strconv.Quote(l), Text: l})
		all.Nodes = append(all.Nodes, once)
	}
	return all, true
}

// put puts a value in the place of a variable.
func put(list *parse.ListNode, variable string, value *parse.StringNode) {
	if list == nil {
		return
	}
	in := func(p *parse.PipeNode) {
		for _, c := range p.Cmds {
			for i, a := range c.Args {
				if v, ok := a.(*parse.VariableNode); ok && len(v.Ident) == 1 && v.Ident[0] == variable {
					c.Args[i] = value
				}
			}
		}
	}
	branches := func(b *parse.BranchNode) {
		in(b.Pipe)
		put(b.List, variable, value)
		put(b.ElseList, variable, value)
	}
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			in(n.Pipe)
		case *parse.IfNode:
			branches(&n.BranchNode)
		case *parse.WithNode:
			branches(&n.BranchNode)
		case *parse.RangeNode:
			branches(&n.BranchNode)
		case *parse.TemplateNode:
			if n.Pipe != nil {
				in(n.Pipe)
			}
		}
	}
}

func (w words) foldBranches(b *parse.BranchNode) {
	w.foldList(b.List)
	w.foldList(b.ElseList)
}

// constant is what a pipeline always says: a text, a language, or the words of a key without placeholders. A key that has no
// words is left to fail when it is drawn, with the name of its page.
func (w words) constant(p *parse.PipeNode) (string, bool) {
	if len(p.Decl) > 0 || len(p.Cmds) != 1 {
		return "", false
	}
	args := p.Cmds[0].Args
	if len(args) == 1 {
		return w.constantArg(args[0])
	}
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
	case name.Ident == "t" && len(given) == 1:
		text, ok := w.catalog[given[0]]
		return text, ok
	case name.Ident == "word" && len(given) == 2:
		text, err := w.word(given[0], given[1])
		return text, err == nil
	case name.Ident == "languageName" && len(given) == 1:
		return languageNames[given[0]], true
	}
	return "", false
}

// constantArg is a text, or the language of the page.
func (w words) constantArg(n parse.Node) (string, bool) {
	switch n := n.(type) {
	case *parse.StringNode:
		return n.Text, true
	case *parse.IdentifierNode:
		return w.lang, n.Ident == "lang"
	}
	return "", false
}
