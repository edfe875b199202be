package main

import (
	"fmt"
	"io"
	"strings"
)

// A row is one line of the table.
type row struct{ what, tutti, other, ratio, budget, holds string }

// figure is what stands in a cell.
func figure(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// verdict says whether a budget holds, of which a short run has no idea.
func (b *bench) verdict(holds bool) string {
	switch {
	case b.short:
		return "not measured"
	case holds:
		return "yes"
	}
	return "**no**"
}

// table writes the rows as Markdown.
func table(w io.Writer, rows []row, note string) error {
	var b strings.Builder
	b.WriteString("| what | Tutti | compared with | ratio | budget | holds |\n|---|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join([]string{r.what, r.tutti, r.other, r.ratio, r.budget, r.holds}, " | "))
	}
	fmt.Fprintf(&b, "\n%s\n", note)
	_, err := io.WriteString(w, b.String())
	return err
}
