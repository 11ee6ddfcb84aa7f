package notify

import (
	"strconv"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// Templates is the Renderer of the program: every word comes from package
// templates.
type Templates struct{}

// Render implements Renderer. What it reveals goes into the message and nowhere else.
func (Templates) Render(m proofing.Message) (Rendered, error) {
	d := templates.MessageData{
		CA: m.Context.CA, Identifier: m.Context.Identifier, Profile: m.Context.Profile, Fingerprint: m.Context.Fingerprint,
		Operator: m.Context.Operator, Contact: m.Context.Contact, Origin: m.Context.Origin,
		Code: m.Code.Reveal(), Link: m.Link.Reveal(), Disown: m.Disown.Reveal(),
		Thing: string(m.Thing), About: m.About, Reason: m.Context.Reason, Ends: m.Context.Ends,
		Role: string(m.Role), By: m.By,
	}
	if m.Minutes > 0 {
		d.Minutes = strconv.Itoa(m.Minutes)
	}
	r, err := templates.Message(m.Kind, m.Lang, d)
	return Rendered(r), err
}
