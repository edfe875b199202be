package feed

import (
	"errors"
	"testing"
)

func TestTheLogHasNoValuesOfFilters(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ told, logged string }{
		"a value that is none": {
			`Unable: [event: *, table: t, filters: [{"id", "eq", "], select: SECRET", false}], select: nil]. Exception: ERROR 22P02 invalid input syntax for type integer: "], select: SECRET"`,
			`Unable: [event: *, table: t, filters: [...], select: nil]. Exception: ERROR 22P02 invalid input syntax for type integer: [value]`,
		},
		"a column that is none": {
			`Unable: [event: *, table: t, filters: [{"no", "eq", "SECRET", false}], select: ["a"]]. Exception: column "no" is missing`,
			`Unable: [event: *, table: t, filters: [...], select: ["a"]]. Exception: column "no" is missing`,
		},
		"no filter": {`Changes are no longer delivered`, `Changes are no longer delivered`},
	} {
		if got := reasonOf(errors.New(tt.told)); got != tt.logged {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, tt.logged)
		}
	}
}
