package tenant

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti"
)

const (
	// settleTime is how long a file that somebody else changed has to stay as it
	// is before it is changed here, and settleLooks how often that is looked at.
	settleTime  = 100 * time.Millisecond
	settleLooks = 20

	// mostAttempts is how often a change begins anew because the file changed.
	mostAttempts = 3
)

// errMoved says that the file is no longer what a change was made for.
var errMoved = errors.New("the tenants file was changed at the same time")

// List returns tenants of the file.
func (f *File) List(_ context.Context, q tutti.TenantQuery) (tutti.TenantPage, error) {
	return page(&q, f.current.Load().tenants), nil
}

// Put writes a tenant into the file, which it reads again if it is not as it
// was. Only what changes about the tenant is edited: comments, anchors and
// "env:" of all the rest stay. Fields of t that are as they were when it was
// found do not undo what was meanwhile written into the file by hand.
//
// A tenant that has no inserted_at in the file gets no updated_at.
func (f *File) Put(ctx context.Context, t *tutti.Tenant) (created bool, err error) {
	if wrong := unwritable(t); len(wrong) > 0 {
		return false, wrong
	}
	existed, err := f.change(ctx, t.ExternalID, func(known, now *tutti.Tenant) *tutti.Tenant {
		return undated(now, merge(known, now, t))
	})
	return !existed && err == nil, err
}

// Delete removes a tenant from the file, with the comments right above it.
func (f *File) Delete(ctx context.Context, externalID string) (existed bool, err error) {
	return f.change(ctx, externalID, func(_, _ *tutti.Tenant) *tutti.Tenant { return nil })
}

// change makes one tenant of the file be what want says; nil is none. It is
// given the tenant as it was known and as it is in the file now, nil for none.
func (f *File) change(ctx context.Context, id string, want func(known, now *tutti.Tenant) *tutti.Tenant) (existed bool, err error) {
	if err := f.lock(ctx); err != nil {
		return false, err
	}
	defer f.unlock()
	for attempt := range mostAttempts {
		existed, err = f.attempt(ctx, id, want)
		if !errors.Is(err, errMoved) || attempt == mostAttempts-1 {
			break
		}
	}
	if errors.Is(err, errMoved) {
		err = &Conflict{errMoved.Error() + ": try again"}
	}
	return existed, err
}

func (f *File) attempt(ctx context.Context, id string, want func(known, now *tutti.Tenant) *tutti.Tenant) (existed bool, err error) {
	known := f.current.Load()
	raw, err := f.settled(ctx, known.raw)
	if err != nil {
		return false, err
	}
	doc, err := f.document(raw)
	if err != nil {
		return false, &Conflict{"the tenants file has faults, mend them first: " + err.Error()}
	}
	var now *tutti.Tenant
	if i := doc.index(id); i >= 0 {
		now = doc.tenants[i]
	}
	after := want(known.find(id), now)
	text, tenants := raw, doc.tenants
	if !alike(now, after) {
		if text, tenants, err = f.rewrite(doc, now, after); err != nil {
			return false, err
		}
		if err := replaceFile(f.path, raw, text); err != nil {
			return false, err
		}
	}
	for _, id := range f.install(tenants, text) {
		f.untold[id] = struct{}{}
	}
	return now != nil, nil
}

// settled returns what is in the file. If that is news, it may be half of what
// somebody is writing just now: it counts once it has stayed the same.
func (f *File) settled(ctx context.Context, known []byte) ([]byte, error) {
	for range settleLooks {
		raw, err := os.ReadFile(f.path)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: read tenants file: %w", tutti.ErrUnavailable, err)
		case bytes.Equal(raw, known):
			return raw, nil
		}
		known = raw
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(settleTime):
		}
	}
	return nil, errMoved
}

func (f *File) document(raw []byte) (*document, error) {
	return openDocument(raw, &reader{path: f.path, getenv: f.getenv}, f.defaults)
}

// rewrite returns the text in which a tenant is what it becomes, and its tenants;
// nil is none. It tries the plan that touches least first, and takes none that
// was not read back and found to say just that.
func (f *File) rewrite(doc *document, before, after *tutti.Tenant) ([]byte, []*tutti.Tenant, error) {
	plans := []func() bool{
		func() bool { return doc.revise(before, after, false) },
		func() bool { return doc.revise(before, after, true) },
	}
	switch {
	case before == nil:
		plans = []func() bool{func() bool { return doc.add(after) }}
	case after == nil:
		plans = []func() bool{func() bool { return doc.remove(before.ExternalID) }}
	}
	for _, plan := range plans {
		doc.edits = nil
		if !plan() {
			continue
		}
		text, ok := doc.result()
		if !ok {
			continue
		}
		tenants, err := parse(text, f.path, f.getenv, f.defaults)
		if err == nil && says(tenants, doc.tenants, before, after) {
			return text, tenants, nil
		}
	}
	return nil, nil, &Conflict{"the tenants file is written in a way that cannot be changed from here, " +
		"perhaps because tenants share values by anchors: edit it by hand"}
}

// says reports whether tenants are the same as others but for one of them.
func says(tenants, others []*tutti.Tenant, before, after *tutti.Tenant) bool {
	want := make(map[string]*tutti.Tenant, len(others))
	for _, t := range others {
		want[t.ExternalID] = t
	}
	if before != nil {
		delete(want, before.ExternalID)
	}
	if after != nil {
		want[after.ExternalID] = after
	}
	for _, t := range tenants {
		if !alike(t, want[t.ExternalID]) {
			return false
		}
	}
	return len(tenants) == len(want)
}

// alike reports whether two tenants say the same; nil is none.
func alike(a, b *tutti.Tenant) bool {
	if a == nil || b == nil {
		return a == b
	}
	return reflect.DeepEqual(tree(a), tree(b))
}

// merge returns what t changes about a tenant as it was known, over how it is
// now. Without both there is nothing to merge.
func merge(known, now, t *tutti.Tenant) *tutti.Tenant {
	merged := *t
	if known == nil || now == nil {
		return &merged
	}
	wanted, was, is := reflect.ValueOf(&merged).Elem(), reflect.ValueOf(*known), reflect.ValueOf(*now)
	for i := range wanted.NumField() {
		if reflect.DeepEqual(wanted.Field(i).Interface(), was.Field(i).Interface()) {
			wanted.Field(i).Set(is.Field(i))
		}
	}
	return &merged
}

// undated takes the times off what was written without them by hand: a date of
// change without one of creation is but a line too many.
func undated(before, t *tutti.Tenant) *tutti.Tenant {
	if before != nil && before.InsertedAt.IsZero() {
		t.InsertedAt, t.UpdatedAt = time.Time{}, time.Time{}
	}
	t.Extensions = slices.Clone(t.Extensions)
	for i := range t.Extensions {
		if t.Extensions[i].InsertedAt.IsZero() {
			t.Extensions[i].UpdatedAt = time.Time{}
		}
	}
	return t
}

// unwritable says which fields of a tenant cannot be written into a file: ids
// that no file may have, and secrets that would be taken for the name of a
// variable, and read its value.
func unwritable(t *tutti.Tenant) Invalid {
	const text = `must not begin with "env:", which stands for a variable in a tenants file`
	wrong := Invalid{}
	if !isLabel(t.ExternalID) || len(t.ExternalID) > longestID {
		wrong.add("external_id", mustBeLabel)
	}
	if strings.HasPrefix(t.JWTSecret, inVariable) {
		wrong.add("jwt_secret", text)
	}
	if namesVariable(plain(t.JWTJWKS)) {
		wrong.add("jwt_jwks", text)
	}
	faults, faulty := make([]Invalid, len(t.Extensions)), false
	for i, e := range t.Extensions {
		faults[i] = Invalid{}
		for _, name := range slices.Sorted(maps.Keys(e.Settings)) {
			if namesVariable(plain(e.Settings[name])) {
				faults[i].add("settings", name+" "+text)
				faulty = true
			}
		}
	}
	if faulty {
		wrong["extensions"] = faults
	}
	return wrong
}

// namesVariable reports whether there is text in a value that names a variable.
func namesVariable(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.HasPrefix(v, inVariable)
	case []any:
		return slices.ContainsFunc(v, namesVariable)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), namesVariable)
	}
	return false
}
