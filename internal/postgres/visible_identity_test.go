package postgres

import (
	"errors"
	"testing"

	"github.com/tutti-realtime/tutti"
)

func TestIdentity(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, `CREATE FUNCTION admins_only() RETURNS boolean LANGUAGE plpgsql AS $$
		BEGIN IF auth.uid()::text LIKE '%3' THEN RAISE 'not you'; END IF; RETURN true; END $$`)
	viewers := []*Viewer{rowsUser(1), {Role: "anon"}, rowsUser(3), {Role: "nobody"}, {Role: "none"}, {Role: "authenticated", Claims: []byte("{")}, rowsUser(7)}
	for range 2 {
		values, errs, err := d.Identity(t.Context(), viewers, []string{"auth.uid()", "( SELECT auth.role() AS role)", "public.admins_only()", "CURRENT_USER"})
		if err != nil {
			t.Fatal(err)
		}
		for i, state := range []string{2: "P0001", 3: "22023", 4: "22023", 5: "22P02", 6: ""} {
			if stateOf(errs[i]) != state || (errs[i] != nil) != (state != "") || (values[i] == nil) != (state != "") {
				t.Errorf("viewer %d: %v, %v", i, values[i], errs[i])
			}
		}
		for i, want := range map[int][]string{
			0: {rowsUID(1), "authenticated", "t", "authenticated"}, 1: {"", "", "t", "anon"}, 6: {rowsUID(7), "authenticated", "t", "authenticated"},
		} {
			for j, v := range values[i] {
				if (v == nil) != (want[j] == "") || v != nil && *v != want[j] {
					t.Errorf("viewer %d, expression %d: %v", i, j, v)
				}
			}
		}
	}
}

func TestIdentityWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	settings := rowsSettings(t)
	if values, _, err := rowsOpen(t, settings).Identity(t.Context(), []*Viewer{rowsUser(1)}, nil); err != nil || len(values[0]) != 0 {
		t.Errorf("of nothing: %v, %v", values, err)
	}
	_, errs, err := rowsOpen(t, settings).Identity(t.Context(), []*Viewer{rowsUser(1)}, []string{"nothing.such()"})
	if err != nil || stateOf(errs[0]) != "3F000" {
		t.Errorf("%v, %v", errs, err)
	}
	settings.Port = 1
	if _, _, err := rowsOpen(t, settings).Identity(t.Context(), []*Viewer{rowsUser(1)}, []string{"1"}); !errors.Is(err, tutti.ErrUnavailable) {
		t.Error(err)
	}
}
