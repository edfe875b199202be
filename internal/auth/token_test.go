package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTimesAreReadAsNumbers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		exp     string
		expires int64
	}{
		"an integer":                     {"1700000060", testTime + 60},
		"the next second":                {"1700000001", testTime + 1},
		"a decimal is rounded down":      {"1700000060.4", testTime + 60},
		"a decimal is rounded up":        {"1700000060.5", testTime + 61},
		"a decimal that rounds to now":   {"1700000000.1", testTime},
		"an exponent":                    {"1.7e10", 17_000_000_000},
		"an integer that needs 80 bits":  {"999999999999999999999999", farFuture},
		"a decimal beyond any int64":     {"1e300", farFuture},
		"one second before the year 10k": {"253402300799", 253402300799},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims := fmt.Sprintf(`{"role":"r", "exp":%s, "iat":1.5, "big":123456789012345678901234567890}`, tt.exp)
			token, err := testKeys(t, nil).Verify(hs256(claims), testNow())
			if err != nil {
				t.Fatal(err)
			}
			if token.Claims.Expires != tt.expires {
				t.Errorf("expires %d, want %d", token.Claims.Expires, tt.expires)
			}
			if string(token.Claims.Raw) != claims {
				t.Errorf("raw claims are %s", token.Claims.Raw)
			}
		})
	}
}

func TestClaimsOfOddTypesAreEmpty(t *testing.T) {
	t.Parallel()
	token, err := testKeys(t, nil).Verify(hs256(`{"role":null,"exp":1700000060,"sub":7}`), testNow())
	if err != nil {
		t.Fatal(err)
	}
	if token.Claims.Role != "" || token.Claims.Subject != "" {
		t.Errorf("claims are %+v", token.Claims)
	}
}

func TestTheLastOfTwoEqualClaimsCounts(t *testing.T) {
	t.Parallel()
	token, err := testKeys(t, nil).Verify(hs256(`{"role":"a","Role":"b","exp":1,"exp":1700000060,"role":"c"}`), testNow())
	if err != nil {
		t.Fatal(err)
	}
	if token.Claims.Role != "c" {
		t.Errorf("role is %q", token.Claims.Role)
	}
}

func TestValidators(t *testing.T) {
	t.Parallel()
	validators := map[string]any{
		"iss": "https://issuer", "n": 1, "big": json.Number("12345678901234567890"), "list": []string{"a", "b"},
		"map": map[string]any{"x": []any{1.0, nil}}, "yes": true, "nil": nil, "zero": 0,
	}
	for claims, want := range map[string]bool{
		``:                              true,
		`"iss":"https://issuer"`:        true,
		`"iss":"https://issuer/"`:       false,
		`"iss":null`:                    false,
		`"iss":["https://issuer"]`:      false,
		`"n":1`:                         true,
		`"n":1.0`:                       true,
		`"n":10e-1`:                     true,
		`"n":2`:                         false,
		`"n":"1"`:                       false,
		`"n":true`:                      false,
		`"n":1e999999999`:               false,
		`"big":12345678901234567890`:    true,
		`"big":12345678901234567891`:    false,
		`"list":["a","b"]`:              true,
		`"list":["b","a"]`:              false,
		`"list":["a"]`:                  false,
		`"list":"a"`:                    false,
		`"map":{"x":[1,null]}`:          true,
		`"map":{"x":[1,null],"y":1}`:    false,
		`"map":{"x":[1,false]}`:         false,
		`"yes":true`:                    true,
		`"yes":{}`:                      false,
		`"yes":1`:                       false,
		`"nil":null`:                    true,
		`"nil":[]`:                      false,
		`"zero":-0`:                     true,
		`"iss":"https://issuer","n":-1`: false,
	} {
		text := strings.TrimSuffix(`{"role":"r","exp":1700000060,`+claims, ",") + "}"
		token, err := testKeys(t, validators).Verify(hs256(text), testNow())
		if (token != nil) != want {
			t.Errorf("%s: %v", claims, err)
		}
		var f *Failure
		if !want && (!errors.As(err, &f) || f.kind != claimRefused) {
			t.Errorf("%s: refused as %v", claims, err)
		}
	}
}

func TestSameComparesTheTokenNotItsSpelling(t *testing.T) {
	t.Parallel()
	raw := hs256(goodClaims)
	token, err := testKeys(t, nil).Verify(raw, testNow())
	if err != nil {
		t.Fatal(err)
	}
	for other, want := range map[string]bool{
		raw: true, "\n" + raw + "%20": true,
		"": false, raw + "x": false, raw + "%": false, hs256(`{"role":"r","exp":1700000060}`): false,
	} {
		if token.Same(other) != want {
			t.Errorf("Same(%q) = %v", other, !want)
		}
	}
}

func TestRecheckIsDueAtTheExpiryOrInFiveMinutes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		exp  string
		want time.Duration
	}{
		"in two seconds less what has passed of this one": {"1700000002", 1100 * time.Millisecond},
		"in an hour":                          {"1700003600", 5 * time.Minute},
		"in a little more than five minutes":  {"1700000301", 5 * time.Minute},
		"in a little less than five minutes":  {"1700000300", 5*time.Minute - 900*time.Millisecond},
		"after the end of the world":          {"999999999999999999999999", 5 * time.Minute},
		"now, for a decimal that rounds down": {"1700000000.3", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := testKeys(t, nil).Verify(hs256(`{"role":"r","exp":`+tt.exp+`}`), testNow())
			if err != nil {
				t.Fatal(err)
			}
			if got := token.Recheck(testNow()); got != tt.want {
				t.Errorf("recheck in %v, want %v", got, tt.want)
			}
		})
	}
}

// Whoever waits as long as Recheck says, and asks Check again, is told of the
// expiry at the first whole second of it, and never before.
func TestRecheckAgreesWithCheck(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		exp := rapid.Int64Range(-1, 700).Draw(t, "exp")
		now := time.Unix(0, rapid.Int64Range(0, int64(700*time.Second)).Draw(t, "now"))
		text := fmt.Sprintf(`{"role":"r","exp":%d}`, exp)
		var claims map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &claims); err != nil {
			t.Fatal(err)
		}
		token, f := newToken(&compact{raw: []byte(text), claims: claims}, now)
		if f != nil {
			t.Fatal(f)
		}
		valid := now.Before(time.Unix(exp, 0))
		if (token.Check(now) == nil) != valid {
			t.Fatalf("valid is %v, Check says %v", valid, token.Check(now))
		}
		left := token.Recheck(now)
		if valid != (left > 0) {
			t.Fatalf("valid is %v, Recheck says %v", valid, left)
		}
		if err := token.Check(now.Add(left)); valid && left < recheckInterval && err == nil {
			t.Fatalf("still valid after %v", left)
		}
	})
}
