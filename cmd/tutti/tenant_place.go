package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/app"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// tenantPlace says where the tenants are: one of a running server, a file and a
// control database.
type tenantPlace struct {
	URL      string      `help:"Address of a running server, to ask it." name:"url" placeholder:"http://host:4000" group:"Where the tenants are"`
	Secret   string      `help:"The API_JWT_SECRET of that server." env:"API_JWT_SECRET" name:"api-secret" group:"Where the tenants are"`
	Token    string      `help:"A token signed with it, in place of the secret." env:"API_TOKEN" name:"api-token" group:"Where the tenants are"`
	Tenants  string      `help:"File that holds the tenants." env:"TENANTS_FILE" type:"path" placeholder:"tenants.yaml" group:"Where the tenants are"`
	Database app.Control `embed:"" prefix:"db-" group:"Control database, where the tenants are"`

	Limits app.Limits `embed:"" prefix:"default-" group:"Limits of tenants that name none, in a file or a database; as the server has them"`
}

// The flags that choose a place.
const (
	flagURL     = "url"
	flagTenants = "tenants"
	flagHost    = "db-host"
)

// choice returns the flag that chooses the place. What the command line says
// goes before the environment, which may be that of a server.
func (p *tenantPlace) choice(k *kong.Context) (string, error) {
	said := map[string]bool{}
	for _, step := range k.Path {
		if step.Flag != nil {
			said[step.Flag.Name] = true
		}
	}
	var explicit, given []string
	for _, place := range []struct{ flag, value string }{
		{flagURL, p.URL}, {flagTenants, p.Tenants}, {flagHost, p.Database.Host},
	} {
		if place.value == "" {
			continue
		}
		given = append(given, place.flag)
		if said[place.flag] {
			explicit = append(explicit, place.flag)
		}
	}
	if len(explicit) > 0 {
		given = explicit
	}
	switch len(given) {
	case 0:
		return "", wrongUse("say where the tenants are: --url http://host:4000 is a running server, " +
			"--tenants FILE (TENANTS_FILE) a file, --db-host HOST (DB_HOST) a control database")
	case 1:
		return given[0], nil
	}
	return "", wrongUsef("say one place where the tenants are, not several: --%s (or their variables) were given", strings.Join(given, ", --"))
}

// open opens the place; leave closes it.
func (p *tenantPlace) open(k *kong.Context) (store tenantStore, leave func(), err error) {
	chosen, err := p.choice(k)
	if err != nil {
		return nil, nil, err
	}
	switch chosen {
	case flagURL:
		store, err = p.openAPI()
		return store, func() {}, err
	case flagTenants:
		file, err := tenant.OpenFile(p.Tenants, os.Getenv, p.Limits.Defaults())
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil, fmt.Errorf(`there is no file %s: begin one that says "tenants: []"`, p.Tenants)
		case err != nil:
			return nil, nil, fmt.Errorf("the tenants file cannot be used: %w", err)
		}
		return &storedTenants{file, p.defaults()}, func() {}, nil
	}
	control, _, err := p.Database.Open("tutti", extensions())
	if err != nil {
		return nil, nil, fmt.Errorf("open the control database: %w", err)
	}
	return &storedTenants{control, p.defaults()}, control.Close, nil
}

func (p *tenantPlace) defaults() tenant.Defaults {
	d := p.Limits.Defaults()
	d.Extensions = extensions()
	return d
}

func (p *tenantPlace) openAPI() (*tenantAPI, error) {
	base, err := url.Parse(p.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, wrongUsef("--url %q is no address of a server: write it as http://host:4000", p.URL)
	}
	if p.Secret == "" && p.Token == "" {
		return nil, wrongUse("a running server wants to know who asks: give its secret with --api-secret (API_JWT_SECRET), " +
			"or a token signed with that with --api-token (API_TOKEN)")
	}
	return newTenantAPI(base, p.Secret, p.Token), nil
}

// explain says what may be done about errors of a control database.
func (p *tenantPlace) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tutti.ErrUnavailable) && p.Database.Host != "":
		return fmt.Errorf("the control database on %s cannot be reached, look at the DB_ variables: %w", p.Database.Host, err)
	case strings.Contains(err.Error(), undefinedTable):
		return fmt.Errorf("the control database has no tables yet, tutti migrate makes them: %w", err)
	}
	return err
}

// undefinedTable is how PostgreSQL calls it.
const undefinedTable = "SQLSTATE 42P01"
