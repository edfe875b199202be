package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"github.com/tutti-realtime/tutti"
)

type tenantListing struct {
	Search string `help:"Only those whose id or name has this in it."`
	Limit  int    `help:"At most so many, up to 1000; all when it is not given."`
	After  string `help:"Only those behind this id: the next page." placeholder:"ID"`
}

// longestPage is the longest that a server gives out.
const longestPage = 1000

// Run prints tenants in the order of their ids.
func (l *tenantListing) Run(ctx context.Context, k *kong.Context, t *tenantCommand) error {
	return t.visit(ctx, k, func(store tenantStore) error {
		if l.Limit < 0 || l.Limit > longestPage {
			return wrongUsef("--limit %d is no size of a page: it is a number from 1 to %d", l.Limit, longestPage)
		}
		page, err := store.list(ctx, tutti.TenantQuery{Search: l.Search, After: l.After, Limit: l.Limit})
		if err != nil {
			return err
		}
		if t.JSON {
			return printJSON(page)
		}
		return l.print(os.Stdout, page)
	})
}

// tenantColumns are the columns of the list. Those that a server does not show
// are left out.
var tenantColumns = [...]struct{ title, field string }{
	{"TENANT", "external_id"}, {"NAME", "name"},
	{"USERS", "max_concurrent_users"}, {"CHANNELS", "max_channels_per_client"},
	{"JOINS/S", "max_joins_per_second"}, {"EVENTS/S", "max_events_per_second"},
	{"PRIVATE", "private_only"}, {"SUSPENDED", "suspend"},
}

func (l *tenantListing) print(w io.Writer, page tenantPage) error {
	if len(page.Data) == 0 {
		_, err := fmt.Fprintln(w, l.nobody())
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(write func(title, field string) string) {
		var cells []string
		for _, column := range tenantColumns {
			if _, shown := page.Data[0][column.field]; shown {
				cells = append(cells, write(column.title, column.field))
			}
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	row(func(title, _ string) string { return title })
	for _, view := range page.Data {
		row(func(_, field string) string { return cell(view[field]) })
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if page.Next != "" {
		fmt.Fprintf(w, "\nThere are more: --after %s\n", cell(page.Next))
	}
	return nil
}

func (l *tenantListing) nobody() string {
	switch {
	case l.Search != "":
		return fmt.Sprintf("No tenant has %q in its id or its name.", l.Search)
	case l.After != "":
		return fmt.Sprintf("There are no tenants behind %q.", l.After)
	}
	return "There are no tenants yet: tutti tenant add adds one."
}
