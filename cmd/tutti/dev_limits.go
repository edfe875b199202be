package main

import (
	"os"
	"slices"
	"strconv"

	"github.com/alecthomas/kong"

	"github.com/tutti-realtime/tutti/internal/app"
)

// A devLimit is a limit of tutti dev, unless its flag or its variable says another.
type devLimit struct {
	flag, env string
	limit     *int
	most      int
}

// devLimits are limits that whoever tries something does not meet. A class of 30 who all
// play four notes a second at 120 beats per minute makes 7,500 events a second, and
// a test of what one machine can do ten times as many; with the hundred that a server
// allows, a project that has not asked for more, the first class would be cut off.
func devLimits(l *app.Limits) []devLimit {
	return []devLimit{
		{"max-users", "TENANT_MAX_CONCURRENT_USERS", &l.Users, 10_000},
		{"max-events", "TENANT_MAX_EVENTS_PER_SECOND", &l.Events, 100_000},
		{"max-joins", "TENANT_MAX_JOINS_PER_SECOND", &l.Joins, 10_000},
		{"max-channels", "TENANT_MAX_CHANNELS_PER_CLIENT", &l.Channels, 1000},
		{"max-presence-events", "TENANT_MAX_PRESENCE_EVENTS_PER_SECOND", &l.PresenceEvents, 10_000},
	}
}

// relax sets the limits of tutti dev, but for those that were given.
func relax(l *app.Limits, line *kong.Context) {
	var given []string
	for _, p := range line.Path {
		if p.Flag != nil {
			given = append(given, p.Flag.Name)
		}
	}
	for _, d := range devLimits(l) {
		if !slices.Contains(given, d.flag) && os.Getenv(d.env) == "" {
			*d.limit = d.most
		}
	}
}

// limitEnvironment passes limits to another process.
func limitEnvironment(l app.Limits) (variables []string) {
	for _, d := range devLimits(&l) {
		variables = append(variables, d.env+"="+strconv.Itoa(*d.limit))
	}
	return variables
}
