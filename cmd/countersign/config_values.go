package main

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Money is an amount in millionths of the budget's currency. It is written as a
// decimal ("0.05"), because binary fractions of money do not add up.
type Money int64

const moneyDigits = 6

var decimal = regexp.MustCompile(`^([0-9]{1,9})(?:\.([0-9]{1,6}))?$`)

func parseMoney(s string) (Money, error) {
	m := decimal.FindStringSubmatch(s)
	if m == nil {
		return 0, errors.New(`must be an amount such as "0.05", with up to nine digits before the point and six after it`)
	}
	micros, err := strconv.ParseInt(m[1]+m[2]+strings.Repeat("0", moneyDigits-len(m[2])), 10, 64)
	return Money(micros), err
}

// String writes the amount as parseMoney reads it, with two decimals at least.
func (m Money) String() string {
	s := fmt.Sprintf("%0*d", moneyDigits+1, int64(m))
	whole, fraction := s[:len(s)-moneyDigits], strings.TrimRight(s[len(s)-moneyDigits:], "0")
	return whole + "." + fraction + strings.Repeat("0", max(0, 2-len(fraction)))
}

const day = 24 * time.Hour

// parseDuration reads what time.ParseDuration does, without a sign, and days
// before it ("30d", "1d12h").
func parseDuration(s string) (time.Duration, error) {
	wrong := errors.New(`must be a duration such as "90s", "10m", "12h" or "30d"`)
	var days int64
	rest := s
	if number, after, ok := strings.Cut(s, "d"); ok {
		var err error
		if days, err = strconv.ParseInt(number, 10, 32); err != nil || days < 0 || days > int64(math.MaxInt64/day)-1 {
			return 0, wrong
		}
		if rest = after; rest == "" {
			rest = "0s"
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || strings.HasPrefix(rest, "+") || d > math.MaxInt64-time.Duration(days)*day {
		return 0, wrong
	}
	return time.Duration(days)*day + d, nil
}

// formatDuration writes a duration as parseDuration reads it, in the largest
// unit that fits.
func formatDuration(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d >= u.unit && d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.name
		}
	}
	return d.String()
}
