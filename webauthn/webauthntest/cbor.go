package webauthntest

import (
	"encoding/binary"
	"fmt"
)

// pair is one member of a CBOR map; a map keeps the order in which it is written, which
// must be the canonical one of CTAP2.
type pair struct {
	key, value any
}

// cbor encodes the few types that authenticators need (RFC 8949): int64, []byte, string,
// []any and []pair.
func cbor(v any) []byte {
	switch v := v.(type) {
	case int64:
		if v < 0 {
			return head(1, uint64(-1-v))
		}
		return head(0, uint64(v))
	case []byte:
		return append(head(2, uint64(len(v))), v...)
	case string:
		return append(head(3, uint64(len(v))), v...)
	case []any:
		b := head(4, uint64(len(v)))
		for _, item := range v {
			b = append(b, cbor(item)...)
		}
		return b
	case []pair:
		b := head(5, uint64(len(v)))
		for _, p := range v {
			b = append(append(b, cbor(p.key)...), cbor(p.value)...)
		}
		return b
	}
	panic(fmt.Sprintf("webauthntest: no CBOR for %T", v))
}

// head writes a major type with its argument in the shortest form.
func head(major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return []byte{major | byte(n)}
	case n < 1<<8:
		return []byte{major | 24, byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{major | 25}, uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32([]byte{major | 26}, uint32(n))
	}
	return binary.BigEndian.AppendUint64([]byte{major | 27}, n)
}
