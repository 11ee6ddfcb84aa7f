package templates

import "time"

// Sign is a page at which somebody signs one decision, and sees nothing else that could be meant.
type Sign struct {
	Frame
	Notice *Problem
	Panel  SignPanel
	Back   string // the path of what is decided about; empty: none
}

func (Sign) page() string { return "sign" }

// SignPanel is the part "sign" of a page: the very text that is signed, and the button with which the person's passkey signs it.
// What the browser says is posted to Action as the field response.
type SignPanel struct {
	Action string
	// Fields go with the answer.
	Fields []Field
	// Ask is what the browser is asked, JSON.
	Ask string
	// Text is what the document says was shown, to the letter, and Language its language.
	Text, Language string
	Decision       string // "approve" or "refuse"
	// Button is what the button says: a code of the words "sign_do": "approve", "refuse", "grant", "confirm", "agree" or "end".
	Button string
	// Passkey is what the person knows the passkey by that is to sign; may be empty.
	Passkey string
	Until   time.Time // it can be signed until then
	// Over says why it can be signed no more: "expired" or "tries"; empty: it can.
	Over string
}
