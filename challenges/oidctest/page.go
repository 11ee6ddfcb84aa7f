package oidctest

import (
	"html/template"
	"net/http"
)

// page is all that the provider shows to people: who do you want to be?
var page = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Example identity provider</title></head>
<body style="font-family: system-ui, sans-serif; max-width: 30rem; margin: 3rem auto; padding: 0 1rem; line-height: 1.5">
<main>
<h1>Example identity provider</h1>
<p>This page plays another organization, where people have accounts. Here nobody is asked for a password.</p>
<form method="post">
{{range $name, $values := .Request}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}{{range .Accounts}}<p><button name="account" value="{{.Subject}}" style="font: inherit; padding: .6rem 1rem">Log in as {{.Name}}</button></p>
{{end}}<p><button name="deny" value="yes" style="font: inherit; padding: .6rem 1rem">Do not log in</button></p>
</form></main></body></html>
`))

// choose shows the accounts.
func (p *Provider) choose(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	_ = page.Execute(w, struct { // who asked has left
		Request  map[string][]string
		Accounts []Account
	}{r.URL.Query(), p.Accounts})
}
