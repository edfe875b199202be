package app

import (
	"errors"
	"fmt"

	"github.com/tutti-realtime/tutti/internal/gate"
)

// TLS is how the server ends TLS, when it has a certificate. Which ciphers are used
// is Go's affair.
type TLS struct {
	MinVersion string       `help:"Oldest version of TLS that clients may speak." env:"TLS_MIN_VERSION" name:"min-version" enum:"1.2,1.3" default:"1.2"`
	ClientCA   string       `help:"Certificates that may sign those of callers: only a proxy that has one gets in." env:"TLS_CLIENT_CA" name:"client-ca" type:"existingfile"`
	Look       Milliseconds `help:"How often it is looked whether the files of the certificate have changed." env:"TLS_LOOK_MS" name:"look" default:"10s"`
	Redirect   int          `help:"Port without TLS that sends browsers to the one with it; 0 is none." env:"TLS_REDIRECT_PORT" name:"redirect-port" default:"0"`
	HSTS       Milliseconds `help:"How long browsers are told to use this host with TLS only; 0 does not tell them. It is never said of localhost." env:"HSTS_MAX_AGE_MS" name:"hsts-max-age" default:"8760h"`
}

// Security is what the server does for those who have not shown yet who they are.
type Security struct {
	Origins []string `help:"Origins of pages that may use the server from a browser, such as https://app.example.com, https://*.example.com or http://localhost:*; * is any." env:"ALLOWED_ORIGINS" name:"allowed-origins" default:"*"`
	Proxies []string `help:"Addresses and networks of proxies whose X-Forwarded-For is believed." env:"TRUSTED_PROXIES" name:"trusted-proxies" placeholder:"10.0.0.0/8"`

	Uncounted         []string `help:"Addresses and networks that limits for each address are not for, because many clients may be behind one of them: by default those of private networks, where a proxy may be that nobody has named." env:"UNCOUNTED_ADDRESSES" name:"uncounted-addresses" default:"127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,169.254.0.0/16,fe80::/10,fc00::/7"`
	Connections       int      `help:"WebSockets of this node at once; 0 is no limit but that of open files." env:"MAX_CONNECTIONS" name:"max-connections" default:"0"`
	Pending           int      `help:"Connections at once that are no WebSocket, or not yet; 0 is no limit." env:"MAX_PENDING_CONNECTIONS" name:"max-pending-connections" default:"10000"`
	PendingPerAddress int      `help:"The same of one address. A whole school may be behind one." env:"MAX_PENDING_PER_ADDRESS" name:"max-pending-per-address" default:"1000"`
	BadTokens         int      `help:"Bad tokens and unknown tenants that one address may try in a minute, before it is told to wait; 0 is no limit." env:"MAX_BAD_TOKENS_PER_MINUTE" name:"max-bad-tokens-per-minute" default:"3000"`
	Verifications     int      `help:"Tokens whose signatures are checked at once; 0 is half of the cores." env:"MAX_VERIFICATIONS" name:"max-verifications" default:"0"`
	Bodies            int64    `help:"Bytes of the bodies of HTTP requests that are held at once." env:"MAX_BODY_BYTES" name:"max-body-bytes" default:"268435456"`
}

// gate returns the settings of the gate.
func (s *Security) gate() (g gate.Settings, err error) {
	g = gate.Settings{
		Pending: s.Pending, PendingPerAddress: s.PendingPerAddress, BadTokens: s.BadTokens,
		Verifications: s.Verifications, Waiting: 1000, BodyBytes: s.Bodies,
	}
	if g.Origins, err = gate.ParseOrigins(s.Origins); err != nil {
		return g, fmt.Errorf("ALLOWED_ORIGINS: %w", err)
	}
	if g.Proxies, err = gate.ParsePrefixes(s.Proxies); err != nil {
		return g, fmt.Errorf("TRUSTED_PROXIES: %w", err)
	}
	if g.Uncounted, err = gate.ParsePrefixes(s.Uncounted); err != nil {
		return g, fmt.Errorf("UNCOUNTED_ADDRESSES: %w", err)
	}
	return g, nil
}

// checkTLS returns what is wrong with the settings of TLS.
func (c *Config) checkTLS() error {
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("TLS needs both of TLS_CERT and TLS_KEY")
	case c.TLSCert == "" && c.TLS.ClientCA != "":
		return errors.New("TLS_CLIENT_CA is of no use without TLS_CERT and TLS_KEY")
	case c.TLSCert == "" && c.TLS.Redirect != 0:
		return errors.New("TLS_REDIRECT_PORT is of no use without TLS_CERT and TLS_KEY")
	}
	return nil
}
