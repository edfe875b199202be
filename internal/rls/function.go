package rls

import (
	"slices"
	"strings"
)

// call checks the call of a function.
func (c *checker) call(e *expr) bool {
	if e.schema != "" && e.schema != "pg_catalog" {
		return c.callOutside(e)
	}
	for _, a := range e.args {
		c.use(a)
	}
	switch e.name {
	case "current_setting":
		return c.setting(e)
	case "lower", "upper":
		e.kind = kindText
		return len(e.args) == 1 && e.args[0].kind == kindText && !e.named
	}
	return false
}

// The settings in which claims stand: all of them, or one each.
const (
	claimsSetting = "request.jwt.claims"
	oldSetting    = "request.jwt.claim" // all of them, too
	claimPrefix   = "request.jwt.claim."
)

// setting checks current_setting('request.jwt.…' [, missing_ok]). No other
// setting says who asks.
func (c *checker) setting(e *expr) bool {
	if len(e.args) < 1 || len(e.args) > 2 || !c.typed(e.args...) {
		return false
	}
	if len(e.args) == 2 && (e.args[1].op != exprLiteral || e.args[1].kind != kindBool) {
		return false
	}
	if e.args[0].kind != kindText && e.args[0].kind != kindUntyped {
		return false
	}
	e.kind = kindText
	// Names of settings have no case, and only these are known to be no others.
	switch name := constantText(e.args[0]); {
	case name == claimsSetting, name == oldSetting:
		e.whole = true
		return true
	case strings.HasPrefix(name, claimPrefix):
		c.claim(name[len(claimPrefix):])
		return true
	}
	return false
}

// callOutside checks the call of a function outside of pg_catalog.
func (c *checker) callOutside(e *expr) bool {
	if len(e.args) > 0 {
		return false
	}
	name := functionName(e.schema, e.name)
	f := c.called[name]
	if f == nil {
		// A function that calls itself finds itself unsafe.
		f = &called{}
		c.called[name] = f
		c.function(f, e.schema, e.name)
	}
	e.kind, e.whole, e.named = f.kind, f.whole, f.named
	return f.safe
}

// functionName returns a key for a function. No name has a NUL in it.
func functionName(schema, name string) string { return schema + "\x00" + name }

// function finds out what the function f does.
func (c *checker) function(f *called, schema, name string) {
	i := slices.IndexFunc(c.functions, func(f Function) bool {
		return f.Schema == schema && f.Name == name && f.Arguments == ""
	})
	if i < 0 {
		return
	}
	d := &c.functions[i]
	f.kind = kindOf(d.Result)
	if d.Language != "sql" || d.Volatility != 's' && d.Volatility != 'i' || d.SecurityDefiner ||
		!isPlain(d.Config) || f.kind == kindNone {
		return
	}
	body, ok := parseBody(d.Body)
	if !ok {
		return
	}
	outer := c.body
	c.body = true
	ok = c.check(body)
	c.body = outer
	if !ok || !body.kind.isEvaluable() {
		return
	}
	f.whole, f.named, f.safe = body.whole, body.named, true
	if f.whole && f.kind != kindText && f.kind != kindJSON && f.kind != kindJSONB {
		c.use(body)
		f.whole = false
	}
}

// isPlain reports whether a function's settings leave it the names of
// pg_catalog: there is no setting but search_path, and that has pg_catalog at
// its head, where it is as well when it is not named.
func isPlain(config []string) bool {
	for _, setting := range config {
		path, ok := strings.CutPrefix(setting, "search_path=")
		if !ok {
			return false
		}
		for i, schema := range strings.Split(path, ",") {
			schema = strings.Trim(strings.TrimSpace(schema), `"`)
			if i > 0 && schema == "pg_catalog" || schema == "pg_temp" {
				return false
			}
		}
	}
	return true
}

// unused reports whether there is a function that is not called by what was
// checked, or not as we understand it.
func (c *checker) unused(functions []Function) bool {
	return slices.ContainsFunc(functions, func(f Function) bool {
		return f.Arguments != "" || c.called[functionName(f.Schema, f.Name)] == nil
	})
}
