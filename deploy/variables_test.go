package deploy

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"github.com/tutti-realtime/tutti/internal/app"
)

// foreign are words that look like variables of the server and are those of others.
var foreign = []string{
	"POSTGRES_PASSWORD", "POSTGRES_VERSION", "TUTTI_IMAGE", "TUTTI_VERSION", "TUTTI_PORT", "TUTTI_SLOT_NAME_SUFFIX", // of the compose files
	"POD_IP",                                       // of the manifests
	"CAP_NET_BIND_SERVICE",                         // of Linux
	"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", // as well
	"SOURCE_DATE_EPOCH", "NOTIFY_SOCKET", "WATCHDOG_USEC", // of those who build and start
	"SECRET_KEY_BASE", "ERL_AFLAGS", "DNS_NODES", "RLIMIT_NOFILE", "RUN_JANITOR", "DISABLE_HEALTHCHECK_LOGGING", // of the reference
}

// name is a word in capitals with an underscore, which in these files is a variable.
var name = regexp.MustCompile(`\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b`)

func known(t *testing.T) []string {
	t.Helper()
	var config app.Config
	parser, err := kong.New(&config)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range parser.Model.Flags {
		names = append(names, f.Envs...)
	}
	if len(names) < 50 {
		t.Fatalf("only %d variables were found", len(names))
	}
	return names
}

func TestFilesNameVariablesThatExist(t *testing.T) {
	t.Parallel()
	all := append(known(t), foreign...)
	paths := []string{"../Dockerfile", "../docs/deploy.md"}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{"check", "grafana", "prometheus"}, path) {
			return fs.SkipDir
		}
		if !d.IsDir() && filepath.Ext(path) != ".go" {
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		for _, word := range name.FindAllString(read(t, path), -1) {
			if !slices.Contains(all, word) {
				t.Errorf("%s: there is no variable %s", path, word)
			}
		}
	}
}

// parse reads variables as the server does.
func parse(t *testing.T, variables map[string]string) app.Config {
	t.Helper()
	names := known(t)
	for name, value := range variables {
		if !slices.Contains(append(names, foreign...), name) && name != "PORT" && name != "REGION" {
			t.Errorf("there is no variable %s", name)
		}
		t.Setenv(name, value)
	}
	var config app.Config
	parser, err := kong.New(&config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Errorf("the server does not start: %v", err)
	}
	return config
}

// composed returns the variables of a service, those of .env.example put in.
func composed(t *testing.T, file, service string) map[string]string {
	t.Helper()
	var project struct {
		Services map[string]struct{ Environment map[string]string }
	}
	if err := yaml.Unmarshal([]byte(read(t, file)), &project); err != nil {
		t.Fatal(err)
	}
	env := environment(read(t, "compose/.env.example"))
	variables := project.Services[service].Environment
	if len(variables) == 0 {
		t.Fatalf("%s says nothing to %s", file, service)
	}
	for k, v := range variables {
		variables[k] = reference.ReplaceAllStringFunc(v, func(r string) string {
			found := reference.FindStringSubmatch(r)
			if value := env[found[1]]; value != "" {
				return value
			}
			return found[2]
		})
	}
	return variables
}

// reference is ${NAME}, ${NAME:-default} or ${NAME:?why}.
var reference = regexp.MustCompile(`\$\{([A-Z_]+)(?::-([^}]*)|:\?[^}]*)?\}`)

// environment reads lines as systemd and docker do. Lines that are commented out
// are not read.
func environment(text string) map[string]string {
	variables := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(name, "#") {
			variables[name] = value
		}
	}
	return variables
}

func TestTheServerUnderstandsTheComposeFile(t *testing.T) {
	config := parse(t, composed(t, "compose/docker-compose.yml", "tutti"))
	if !config.Seed || config.DevSecret == "" || config.DB.Host != "db" {
		t.Errorf("it was told %+v", config)
	}
}

func TestTheServerUnderstandsTheFileForSupabase(t *testing.T) {
	parse(t, composed(t, "compose/docker-compose.supabase.yml", "realtime"))
}

func TestTheServerUnderstandsTheManifests(t *testing.T) {
	var kustomization struct {
		ConfigMapGenerator []struct{ Literals []string } `yaml:"configMapGenerator"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "kubernetes/base/kustomization.yaml")), &kustomization); err != nil {
		t.Fatal(err)
	}
	config := parse(t, environment(strings.Join(kustomization.ConfigMapGenerator[0].Literals, "\n")))
	if !config.Cluster.Several() || config.Cluster.DNS != "tutti-nodes:6222" {
		t.Errorf("it was told %+v", config.Cluster)
	}
}

func TestTheServerUnderstandsTheFileOfTheUnit(t *testing.T) {
	parse(t, environment(read(t, "systemd/tutti.env")))
	// What is commented out is an example of something that exists.
	for line := range strings.Lines(read(t, "systemd/tutti.env")) {
		if name, _, found := strings.Cut(strings.TrimPrefix(line, "#"), "="); found && !strings.Contains(name, " ") && !slices.Contains(known(t), name) {
			t.Errorf("there is no variable %s", name)
		}
	}
}
