package app

import (
	"errors"
	"strings"
)

// Admin is who may use the console for operators at /admin. Tokens that may manage
// tenants (API_JWT_SECRET) may, too.
type Admin struct {
	User      string `help:"Who may use the console at /admin; with a password." env:"DASHBOARD_USER" name:"dashboard-user"`
	Password  string `help:"Their password. Without it, and without API_JWT_SECRET, the console is off." env:"DASHBOARD_PASSWORD" name:"dashboard-password"`
	TenantURL string `help:"Where clients reach a tenant, for what the console shows to copy; {tenant} stands for its id. Without it that is made of the host by which the operator came." env:"DASHBOARD_TENANT_URL" name:"dashboard-tenant-url" placeholder:"https://{tenant}.example.com"`
}

func (a *Admin) check() error {
	switch {
	case (a.User == "") != (a.Password == ""):
		return errors.New("the console needs both DASHBOARD_USER and DASHBOARD_PASSWORD, or neither")
	case strings.Contains(a.User, ":"):
		return errors.New("DASHBOARD_USER must not hold a colon: browsers cannot send it")
	case a.TenantURL != "" && !strings.Contains(a.TenantURL, "{tenant}"):
		return errors.New("DASHBOARD_TENANT_URL must hold {tenant}")
	}
	return nil
}
