package main

import (
	"slices"
	"testing"

	"github.com/alecthomas/kong"
)

func TestLimitsOfDev(t *testing.T) {
	t.Setenv("TENANT_MAX_JOINS_PER_SECOND", "7")
	var line struct {
		Dev devCommand `cmd:""`
	}
	parser, err := kong.New(&line)
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := parser.Parse([]string{"dev", "--max-events=100"})
	if err != nil {
		t.Fatal(err)
	}
	l := &line.Dev.Limits
	relax(l, ctx)
	if l.Events != 100 || l.Joins != 7 {
		t.Errorf("what was given has become %d events and %d joins", l.Events, l.Joins)
	}
	const class, notes = 31, 30*8 + 2 // each plays four notes a second, which go up again; two beats
	if l.Users < 1000 || l.Channels < 1000 || l.PresenceEvents < class*notes {
		t.Errorf("a class of 30 meets %+v", *l)
	}
	if env := limitEnvironment(*l); !slices.Contains(env, "TENANT_MAX_EVENTS_PER_SECOND=100") || !slices.Contains(env, "TENANT_MAX_CONCURRENT_USERS=10000") {
		t.Errorf("other nodes are given %q", env)
	}
}
