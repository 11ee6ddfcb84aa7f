// Package e2e drives the real program from outside, beside parts that nobody here
// wrote: MailHog takes its mail and Chromium shows its pages. Twilio alone is a
// double, which answers as Twilio documents. It is a module of its own, so that
// what only these tests need does not weigh on the product.
package e2e
