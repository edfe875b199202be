package changes

import (
	"math"
	"strings"
	"time"
)

// readTime reads a date in days, or a timestamp in microseconds, since 1970.
// It knows the ISO form of the years 1 to 9999 and the infinities, which mean
// the same under every setting of a session; all else is left to PostgreSQL.
func readTime(c class, s string) (n int64, known bool) {
	switch s {
	case "infinity":
		return math.MaxInt64, true
	case "-infinity":
		return math.MinInt64, true
	}
	days, rest, ok := readDate(s)
	if !ok {
		return 0, false
	}
	midnight := days * 24 * time.Hour.Microseconds()
	switch c {
	case date:
		return days, rest == ""
	case timestamp:
		if rest == "" {
			return midnight, true
		}
		clock, zone, ok := readClock(rest)
		return midnight + clock, ok && zone == ""
	}
	clock, zone, ok := readClock(rest)
	if !ok {
		return 0, false
	}
	offset, ok := readZone(zone)
	return midnight + clock - offset, ok
}

// readDate reads YYYY-MM-DD into days since 1970.
func readDate(s string) (days int64, rest string, ok bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return 0, "", false
	}
	year, ok1 := twoDigits(s[:2])
	years, ok2 := twoDigits(s[2:4])
	month, ok3 := twoDigits(s[5:7])
	day, ok4 := twoDigits(s[8:10])
	year = year*100 + years
	if !ok1 || !ok2 || !ok3 || !ok4 || year == 0 {
		return 0, "", false
	}
	t := time.Date(int(year), time.Month(month), int(day), 0, 0, 0, 0, time.UTC)
	if int64(t.Month()) != month || int64(t.Day()) != day {
		return 0, "", false
	}
	return t.Unix() / (24 * 60 * 60), s[10:], true
}

// readClock reads [ T]HH:MM:SS[.ffffff] into microseconds.
func readClock(s string) (µs int64, rest string, ok bool) {
	if len(s) < 9 || s[0] != ' ' && s[0] != 'T' || s[3] != ':' || s[6] != ':' {
		return 0, "", false
	}
	hour, ok1 := twoDigits(s[1:3])
	minute, ok2 := twoDigits(s[4:6])
	second, ok3 := twoDigits(s[7:9])
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 59 {
		return 0, "", false
	}
	µs = ((hour*60+minute)*60 + second) * 1e6
	rest, hasFraction := strings.CutPrefix(s[9:], ".")
	if !hasFraction {
		return µs, rest, true
	}
	digits := 0
	for unit := int64(1e5); digits < len(rest) && '0' <= rest[digits] && rest[digits] <= '9'; digits++ {
		µs += int64(rest[digits]-'0') * unit
		unit /= 10
	}
	return µs, rest[digits:], digits > 0 && digits <= 6
}

// readZone reads Z or ±HH[:MM[:SS]] into microseconds.
func readZone(s string) (µs int64, ok bool) {
	if s == "Z" {
		return 0, true
	}
	if s == "" || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	parts := strings.Split(s[1:], ":")
	unit := time.Hour.Microseconds()
	for i, part := range parts {
		n, ok := twoDigits(part)
		if !ok || n > 59 || i == 0 && n > 14 || i > 2 {
			return 0, false
		}
		µs += n * unit
		unit /= 60
	}
	if s[0] == '-' {
		µs = -µs
	}
	return µs, true
}

func twoDigits(s string) (n int64, ok bool) {
	if len(s) != 2 || s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9' {
		return 0, false
	}
	return int64(s[0]-'0')*10 + int64(s[1]-'0'), true
}
