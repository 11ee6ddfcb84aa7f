package webauthn_test

import (
	"bytes"
	"encoding/hex"
)

// COSE keys that are as they should be, of nobody's.
var (
	// The generator of P-256 (SEC 2, 2.4.2), with ES256.
	coseES256 = unhex("a5010203262001215820" + "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
		"225820" + "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
	// The generator of P-384 (SEC 2, 2.5.1), with ES384.
	coseES384 = unhex("a501020338222002215830" + "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7" +
		"225830" + "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f")
)

// coseEd448 is a key on Ed448 (RFC 9053 7.2, curve 7) whose algorithm, in CBOR, is as given, and of whose point the first bytes are there. The
// point is that of the first test of RFC 8032, 7.4.
func coseEd448(algorithm string, size int) []byte {
	point := unhex("5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180")
	return append(append(unhex("a4010103"+algorithm+"20072158"), byte(size)), point[:size]...)
}

// coseRSA has a modulus of a number of bytes, with RS256.
func coseRSA(size int) []byte {
	modulus := bytes.Repeat([]byte{0xff}, size)
	b := unhex("a401030339010020")
	if size < 256 {
		b = append(b, 0x58, byte(size))
	} else {
		b = append(b, 0x59, byte(size>>8), byte(size))
	}
	return append(append(b, modulus...), unhex("2143010001")...)
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
