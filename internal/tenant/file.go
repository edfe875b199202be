package tenant

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti"
)

// pollEvery is how often a tenants file is looked at. It is read, not watched:
// that sees renames, swapped symlinks and mounted volumes alike, and costs well
// under a millisecond for a thousand tenants.
const pollEvery = time.Second

// File is a Registry of the tenants in a YAML file. See parse.go for its form.
type File struct {
	Log *slog.Logger // nil is slog.Default()

	path     string
	getenv   func(string) string
	defaults Defaults
	current  atomic.Pointer[contents]

	turn   chan struct{}       // holds one who reads the file into current, or writes it
	untold map[string]struct{} // ids that Run has yet to announce; of whoever has the turn
}

// contents are the tenants of a file, sorted by id, and the bytes they were in.
type contents struct {
	tenants []*tutti.Tenant
	raw     []byte
}

// OpenFile reads a tenants file. The value of "env:NAME" in it is what getenv
// says of NAME. The error names every fault with its place, a line for each.
func OpenFile(path string, getenv func(string) string, defaults Defaults) (*File, error) {
	f := &File{
		path: path, getenv: getenv, defaults: defaults,
		turn: make(chan struct{}, 1), untold: make(map[string]struct{}),
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tenants file: %w", err)
	}
	if _, err := f.load(raw); err != nil {
		return nil, err
	}
	return f, nil
}

// Find returns a tenant of the file, or tutti.ErrNoTenant.
func (f *File) Find(_ context.Context, externalID string) (*tutti.Tenant, error) {
	if t := f.current.Load().find(externalID); t != nil {
		return t, nil
	}
	return nil, tutti.ErrNoTenant
}

// All returns the tenants of the file, sorted by external id.
func (f *File) All() []*tutti.Tenant {
	return slices.Clone(f.current.Load().tenants)
}

// Run follows the file until ctx ends, and returns why it did. It calls changed
// with the sorted ids of tenants that were added, changed or removed; Find tells
// the new ones by then. A file that is missing or has faults is logged once, and
// the tenants that were there stay in force.
//
// A new file is taken when two looks in a row found the same in it: half of a
// file may well be a valid one, with tenants missing.
func (f *File) Run(ctx context.Context, changed func(ids []string)) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	last := look{raw: f.current.Load().raw, settled: true}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
			last = f.poll(ctx, last, changed)
		}
	}
}

// A look is what was found in the file at one time.
type look struct {
	raw     []byte
	failed  string // why it could not be read, or ""
	settled bool   // this has been dealt with
}

func (l look) same(other look) bool {
	return l.failed == other.failed && bytes.Equal(l.raw, other.raw)
}

// lock waits for the turn to read or write the file.
func (f *File) lock(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (f *File) unlock() { <-f.turn }

// poll looks at the file, and announces what is new in it, whether it was found
// just now or read or written by Put and Delete.
func (f *File) poll(ctx context.Context, last look, changed func(ids []string)) look {
	if f.lock(ctx) != nil {
		return last
	}
	now, ids := f.look(ctx, last)
	for id := range f.untold {
		ids = append(ids, id)
	}
	clear(f.untold)
	f.unlock()
	if len(ids) > 0 {
		slices.Sort(ids)
		changed(slices.Compact(ids))
	}
	return now
}

// look looks at the file, and puts in force what is there for the second time.
func (f *File) look(ctx context.Context, last look) (now look, ids []string) {
	raw, err := os.ReadFile(f.path)
	now = look{raw: raw}
	if err != nil {
		now = look{failed: err.Error()}
	}
	if !now.same(last) {
		return now, nil
	}
	if last.settled {
		return last, nil
	}
	now.settled = true
	if err == nil {
		ids, err = f.load(raw)
	}
	if err != nil {
		f.report(ctx, err)
	}
	return now, ids
}

// report logs what is wrong with the file, each fault by itself.
func (f *File) report(ctx context.Context, err error) {
	log := f.Log
	if log == nil {
		log = slog.Default()
	}
	faults := []error{err}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		faults = many.Unwrap()
	}
	for _, fault := range faults {
		log.ErrorContext(ctx, "tenants file refused, the tenants before it stay in force", "err", fault)
	}
}

// load puts the tenants in raw in force and returns the ids of those that
// differ from before. With an error nothing has changed.
func (f *File) load(raw []byte) ([]string, error) {
	tenants, err := parse(raw, f.path, f.getenv, f.defaults)
	if err != nil {
		return nil, err
	}
	return f.install(tenants, raw), nil
}

// install puts tenants in force, and returns the ids of those that differ.
func (f *File) install(tenants []*tutti.Tenant, raw []byte) []string {
	slices.SortFunc(tenants, byID)
	before := f.current.Load()
	after := &contents{tenants, raw}
	f.current.Store(after)
	return before.diff(after)
}

// find returns a tenant, or nil.
func (c *contents) find(id string) *tutti.Tenant {
	if c == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(c.tenants, id, func(t *tutti.Tenant, id string) int {
		return cmp.Compare(t.ExternalID, id)
	})
	if !found {
		return nil
	}
	return c.tenants[i]
}

// diff returns the sorted ids of tenants that are not the same in both.
func (c *contents) diff(after *contents) []string {
	var ids []string
	for _, t := range after.tenants {
		if !reflect.DeepEqual(c.find(t.ExternalID), t) {
			ids = append(ids, t.ExternalID)
		}
	}
	if c != nil {
		for _, t := range c.tenants {
			if after.find(t.ExternalID) == nil {
				ids = append(ids, t.ExternalID)
			}
		}
	}
	slices.Sort(ids)
	return ids
}
