package admin

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// A Fault is what an operator is told of a request that did not succeed.
type Fault struct {
	Status  int    `json:"-"` // of HTTP
	Message string `json:"error"`
	Code    string `json:"code"`
	Cure    string `json:"cure"`
	// Fields says what is wrong with single fields.
	Fields map[string][]string `json:"errors,omitempty"`

	after time.Duration // when to come again
}

// Error returns the code and the message.
func (f *Fault) Error() string { return f.Code + ": " + f.Message }

var (
	errDisabled = &Fault{
		Status: http.StatusForbidden, Code: "DashboardDisabled", Message: "The console is off: nobody could be let in",
		Cure: "Set DASHBOARD_USER and DASHBOARD_PASSWORD, or API_JWT_SECRET for tokens, and start the server anew",
	}
	errUnknown = &Fault{
		Status: http.StatusUnauthorized, Code: "SignInRequired", Message: "The console is for operators",
		Cure: "Sign in with DASHBOARD_USER and DASHBOARD_PASSWORD, or send a token signed with API_JWT_SECRET",
	}
	errWrong = &Fault{
		Status: http.StatusUnauthorized, Code: "SignInRefused", Message: "The password or the token is not right",
		Cure: "Check DASHBOARD_USER and DASHBOARD_PASSWORD; a token must be signed with API_JWT_SECRET, not expired, not on " +
			"API_TOKEN_BLOCKLIST, and without a role or with service_role: others are a tenant's users",
	}
	errForeign = &Fault{
		Status: http.StatusForbidden, Code: "RequestNotAllowed", Message: "The request does not come from the console's page",
		Cure: "Send the header X-Requested-With with what changes something, from the server's own page",
	}
	errTooMany = &Fault{
		Status: http.StatusTooManyRequests, Code: "TooManyAttempts", Message: "Too many wrong passwords came from this address",
		Cure: "Wait a minute and try again, or sign in with a token",
	}
	errNoTenant = &Fault{
		Status: http.StatusNotFound, Code: "TenantNotFound", Message: "There is no such tenant",
		Cure: "Look for it in the list of tenants; it may have been deleted",
	}
	errStoreDown = &Fault{
		Status: http.StatusServiceUnavailable, Code: "TenantStoreUnavailable", Message: "The store of the tenants gives no answer",
		Cure: "Check that the control database runs and can be reached, and try again",
	}
	errReadOnly = &Fault{
		Status: http.StatusNotImplemented, Code: "ReadOnlyTenants", Message: "The tenants of this server cannot be changed from here",
		Cure: "Keep tenants in a control database (DB_HOST), or edit the tenants file",
	}
	errNotJSON = &Fault{
		Status: http.StatusUnsupportedMediaType, Code: "UnsupportedMediaType", Message: "The body must be JSON",
		Cure: "Send it with Content-Type: application/json",
	}
	errTooLarge = &Fault{
		Status: http.StatusRequestEntityTooLarge, Code: "BodyTooLarge", Message: "The body is larger than 1 MB",
		Cure: "Send less",
	}
	errCrowded = &Fault{
		Status: http.StatusServiceUnavailable, Code: "TooManyViewers", Message: "So many are looking already that no more can",
		Cure: "Close other windows of the console", after: 5 * time.Second,
	}
	errStopping = &Fault{
		Status: http.StatusServiceUnavailable, Code: "RealtimeRestarting", Message: "The node stops",
		Cure: "Try again: another node may answer", after: time.Second,
	}
)

func invalid(fields map[string][]string) *Fault {
	return &Fault{
		Status: http.StatusUnprocessableEntity, Code: "InvalidFields", Message: "Some fields are not right",
		Cure: "See what is said of each field, and send it again", Fields: fields,
	}
}

// faultOf words an error for the operator.
func faultOf(err error) *Fault {
	var fault *Fault
	var wrong tenant.Invalid
	var conflict *tenant.Conflict
	switch {
	case errors.As(err, &fault):
		return fault
	case errors.As(err, &wrong):
		fields := map[string][]string{}
		flatten(fields, "", wrong)
		return invalid(fields)
	case errors.As(err, &conflict):
		return &Fault{Status: http.StatusConflict, Code: "TenantConflict", Message: conflict.Reason}
	case errors.Is(err, tutti.ErrNoTenant):
		return errNoTenant
	case errors.Is(err, tutti.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return errStoreDown
	}
	return &Fault{
		Status: http.StatusInternalServerError, Code: "InternalError", Message: "Something went wrong in the server",
		Cure: "The server's log says more",
	}
}

// renamed are fields that the console calls otherwise than the tenants API.
var renamed = map[string]string{
	"db_host": "postgres.host", "db_port": "postgres.port", "db_name": "postgres.name", "db_user": "postgres.user",
	"db_password": "postgres.password", "ssl_enforced": "postgres.ssl",
}

// flatten notes the faults of fields, and of fields in them, by their last names.
func flatten(into map[string][]string, name string, value any) {
	switch v := value.(type) {
	case []string:
		if other := renamed[name]; other != "" {
			name = other
		} else if isLimit(name) {
			name = "limits." + name
		}
		into[name] = append(into[name], v...)
	case tenant.Invalid:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			flatten(into, key, v[key])
		}
	case []tenant.Invalid:
		for _, one := range v {
			flatten(into, name, one)
		}
	case []any:
		for _, one := range v {
			flatten(into, name, one)
		}
	}
}

// answer writes a status and a value that has a JSON form.
func answer(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // all values are structs and maps of this package, and JSON that was valid
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text) // fails only when the client is gone
}
