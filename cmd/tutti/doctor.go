package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/doctor"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

type doctorCommand struct {
	Place tenantPlace `embed:""`
	JSON  bool        `help:"Print JSON."`

	Tenant     string `arg:"" optional:"" help:"The tenant whose database is examined."`
	DBURL      string `help:"A database, in place of a tenant's." name:"db-url" placeholder:"postgres://user:password@host:5432/name"`
	SlotSuffix string `help:"As the server has it." env:"SLOT_NAME_SUFFIX"`
}

// errSick is the end of an examination that found problems. What they are has
// been printed.
var errSick = errors.New("something does not work")

// Run examines a database, and prints what was found.
func (d *doctorCommand) Run(ctx context.Context, k *kong.Context) error {
	settings, err := d.settings(ctx, k)
	if err != nil {
		return finish(ctx, k, err)
	}
	report := doctor.Examine(ctx, settings, settings.SlotName(d.SlotSuffix))
	if d.JSON {
		err = printJSON(report)
	} else {
		d.print(report)
	}
	if err == nil && report.Worst() == doctor.Problem {
		return errSick
	}
	return err
}

// settings returns how to reach the database.
func (d *doctorCommand) settings(ctx context.Context, k *kong.Context) (s tutti.Database, err error) {
	t := &tutti.Tenant{}
	switch {
	case d.DBURL != "" && d.Tenant != "":
		return s, wrongUse("name a tenant or a database, not both")
	case d.DBURL != "":
		extensions, err := databaseExtension(d.DBURL)
		if err != nil {
			return s, err
		}
		if err := json.Unmarshal(extensions, &t.Extensions); err != nil {
			return s, fmt.Errorf("read the settings: %w", err)
		}
	case d.Tenant == "":
		return s, wrongUse("say which tenant: tutti doctor TENANT --tenants FILE, or --db-host HOST for a control database")
	default:
		if t, err = d.find(ctx, k); err != nil {
			return s, err
		}
	}
	s, found, err := tenant.Database(t)
	switch {
	case err != nil:
		return s, fmt.Errorf("the tenant's %w", err)
	case !found:
		return s, fmt.Errorf("tenant %s has no database: Broadcast and Presence on public channels need none; "+
			"tutti tenant set %s --db-url gives it one", d.Tenant, d.Tenant)
	}
	return s, nil
}

// find returns the tenant with its secrets, which a running server does not
// tell.
func (d *doctorCommand) find(ctx context.Context, k *kong.Context) (*tutti.Tenant, error) {
	store, leave, err := d.Place.open(k)
	if err != nil {
		return nil, err
	}
	defer leave()
	stored, ok := store.(*storedTenants)
	if !ok {
		return nil, wrongUse("a running server does not tell passwords of databases: " +
			"use --tenants FILE, --db-host HOST of its control database, or --db-url")
	}
	t, err := stored.registry.Find(ctx, d.Tenant)
	if errors.Is(err, tutti.ErrNoTenant) {
		return nil, fmt.Errorf("there is no tenant %s", d.Tenant)
	}
	return t, d.Place.explain(err)
}

// marks stand in front of findings.
var marks = map[doctor.Status]string{doctor.OK: "ok     ", doctor.Warning: "warning", doctor.Problem: "PROBLEM"}

func (d *doctorCommand) print(r *doctor.Report) {
	count := map[doctor.Status]int{}
	wide := 0
	for _, f := range r.Findings {
		wide = max(wide, len(f.What))
	}
	for _, f := range r.Findings {
		count[f.Status]++
		fmt.Printf("%s  %-*s  %s\n", marks[f.Status], wide, f.What, f.Said)
		if f.Cure != "" {
			fmt.Printf("%s→ %s\n", strings.Repeat(" ", len(marks[f.Status])+2+wide+2), f.Cure)
		}
	}
	switch {
	case count[doctor.Problem] > 0:
		fmt.Printf("\n%d of %d things do not work; %d deserve a look.\n", count[doctor.Problem], len(r.Findings), count[doctor.Warning])
	case count[doctor.Warning] > 0:
		fmt.Printf("\nEverything works; %d things deserve a look.\n", count[doctor.Warning])
	default:
		fmt.Println("\nEverything is as it should be.")
	}
}
