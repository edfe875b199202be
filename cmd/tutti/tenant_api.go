package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/user"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

const (
	// apiPatience is longer than a server waits for its store.
	apiPatience = 15 * time.Second
	// apiTokenLife allows for clocks that differ.
	apiTokenLife = 5 * time.Minute
	// longestAnswer is the most bytes of an answer that are read.
	longestAnswer = 256 << 20
)

// A tenantAPI is the tenants of a running server (protocol.md §9.2).
type tenantAPI struct {
	base   string // without "/" at the end
	secret string
	token  string // goes before the secret
	client *http.Client
}

func newTenantAPI(base *url.URL, secret, token string) *tenantAPI {
	return &tenantAPI{
		base: strings.TrimRight(base.String(), "/"), secret: secret, token: token,
		// After a redirect a PUT may be a GET, which succeeds and changes nothing.
		client: &http.Client{Timeout: apiPatience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

func tenantPath(name string) string { return "/api/tenants/" + url.PathEscape(name) }

func (a *tenantAPI) find(ctx context.Context, name string) (tenantView, error) {
	var answer struct {
		Data tenantView `json:"data"`
	}
	if err := a.call(ctx, http.MethodGet, tenantPath(name), nil, &answer); err != nil {
		return nil, err
	}
	return answer.Data.readable(), nil
}

func (a *tenantAPI) list(ctx context.Context, q tutti.TenantQuery) (tenantPage, error) {
	query := url.Values{}
	for name, value := range map[string]string{"search": q.Search, "after": q.After} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	page := tenantPage{Data: []tenantView{}}
	err := a.call(ctx, http.MethodGet, "/api/tenants?"+query.Encode(), nil, &page)
	for i := range page.Data {
		page.Data[i] = page.Data[i].readable()
	}
	return page, err
}

func (a *tenantAPI) write(ctx context.Context, name string, fields json.RawMessage) ([]string, error) {
	if fields == nil {
		return nil, a.call(ctx, http.MethodDelete, tenantPath(name), nil, nil)
	}
	before, err := a.find(ctx, name)
	if err != nil && !errors.Is(err, tutti.ErrNoTenant) {
		return nil, err
	}
	var answer struct {
		Data tenantView `json:"data"`
	}
	if err := a.call(ctx, http.MethodPut, tenantPath(name), map[string]any{"tenant": fields}, &answer); err != nil {
		return nil, err
	}
	var given givenFields
	if err := json.Unmarshal(fields, &given); err != nil {
		return nil, fmt.Errorf("read the fields: %w", err)
	}
	return seenToChange(before, answer.Data, given), nil
}

// seenToChange names fields whose values differ and, of those that a server does
// not show, the given ones.
func seenToChange(before, after tenantView, given givenFields) []string {
	var changed []string
	for _, f := range tenantFields {
		value, shown := after[f.name]
		differs := !reflect.DeepEqual(before[f.name], value)
		if !shown || f.name == "extensions" { // which are encrypted, each time in another way
			differs = given[f.name] != nil
		}
		if differs {
			changed = append(changed, f.name)
		}
	}
	return changed
}

// clients has an operation done with the clients that who describes, and says
// with how many; done is the field of the answer that has the number.
func (a *tenantAPI) clients(ctx context.Context, name, operation, done string, who map[string]any) (int, error) {
	var answer struct {
		Data map[string]int `json:"data"`
	}
	err := a.call(ctx, http.MethodPost, tenantPath(name)+"/"+operation, who, &answer)
	return answer.Data[done], err
}

// call sends a request with body as JSON, nil for none, and reads the answer to
// what answer points to, nil to pass it over.
func (a *tenantAPI) call(ctx context.Context, method, path string, body, answer any) error {
	r, err := a.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	response, err := a.client.Do(r)
	if err != nil {
		if cause, ok := errors.AsType[*url.Error](err); ok {
			err = cause.Err // the rest of it is the address
		}
		return fmt.Errorf("no server answers at %s, is one running there? %w", a.base, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer))
	if err != nil {
		return fmt.Errorf("the answer of %s broke off: %w", a.base, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return a.refusal(response, text)
	}
	if answer == nil {
		return nil
	}
	if err := decodeJSON(text, answer); err != nil {
		return fmt.Errorf("%s does not answer as a server of tenants does, is it one? %w", a.base, err)
	}
	return nil
}

func (a *tenantAPI) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, a.base+path, content)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	token, err := a.sign()
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	return r, nil
}

// sign returns a token that may manage tenants. It names the user for the log of
// the server.
func (a *tenantAPI) sign() (string, error) {
	if a.token != "" {
		return a.token, nil
	}
	claims := map[string]any{"iss": "tutti", "exp": time.Now().Add(apiTokenLife).Unix()}
	if who, err := user.Current(); err == nil {
		claims["sub"] = who.Username
	}
	return auth.Mint(a.secret, claims)
}

// refusal says in a sentence why a request was refused.
func (a *tenantAPI) refusal(response *http.Response, text []byte) error {
	var said struct {
		Message string         `json:"message"`
		Errors  tenant.Invalid `json:"errors"`
	}
	_ = json.Unmarshal(text, &said) // others than Tutti may answer anything
	switch status := response.StatusCode; {
	case status == http.StatusForbidden:
		return fmt.Errorf("the server at %s does not accept the token: give its API_JWT_SECRET with --api-secret, or a token signed with that", a.base)
	case status == http.StatusNotFound && said.Message == "not found":
		return tutti.ErrNoTenant
	case status == http.StatusUnprocessableEntity && len(said.Errors) > 0:
		return said.Errors
	case status == http.StatusConflict && said.Message != "":
		return errors.New(said.Message)
	case status == http.StatusNotFound, response.Header.Get("Location") != "":
		return fmt.Errorf("there are no tenants at %s, it answers %s: is it the address of a server, without a path?",
			a.base, strings.TrimSpace(response.Status+" "+response.Header.Get("Location")))
	}
	return fmt.Errorf("the server at %s answers %s: %s", a.base, response.Status, cmp.Or(said.Message, "it does not say why, its log may"))
}

// decodeJSON leaves numbers as they were written.
func decodeJSON(text []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(to)
}
