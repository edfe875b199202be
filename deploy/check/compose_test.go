package check

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// load reads files as docker compose does, with the variables of a file.
func load(t *testing.T, env string, files ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions(files, cli.WithWorkingDirectory("../compose"), cli.WithEnvFiles(env), cli.WithDotEnv)
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheStandAloneComposeFile(t *testing.T) {
	t.Parallel()
	p := load(t, "../compose/.env.example", "../compose/docker-compose.yml")
	tutti, err := p.GetService("tutti")
	if err != nil {
		t.Fatal(err)
	}
	checkService(t, tutti)
	if got := *tutti.Environment["DB_ENC_KEY"]; len(got) != 16 {
		t.Errorf("DB_ENC_KEY of .env.example has %d bytes, want 16", len(got))
	}
	if got := *tutti.Environment["API_JWT_SECRET"]; len(got) < 32 {
		t.Errorf("API_JWT_SECRET of .env.example has %d bytes, want 32 at least", len(got))
	}
	if _, err := os.Stat(filepath.Join(tutti.Build.Context, "Dockerfile")); err != nil {
		t.Errorf("it builds from %s: %v", tutti.Build.Context, err)
	}
	db, err := p.GetService("db")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(db.Command, "wal_level=logical") {
		t.Errorf("the database runs %v, without a logical log", db.Command)
	}
	for _, v := range db.Volumes {
		if v.Type == types.VolumeTypeBind {
			if _, err := os.Stat(v.Source); err != nil {
				t.Errorf("a volume: %v", err)
			}
		}
	}
}

func TestTheStandAloneComposeFileWantsItsSecrets(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := cli.NewProjectOptions([]string{"../compose/docker-compose.yml"}, cli.WithEnvFiles(empty), cli.WithDotEnv)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := options.LoadProject(t.Context()); err == nil {
		t.Error("it starts without any secret")
	}
}

func TestTuttiReplacesTheRealtimeServiceOfASelfHostedSupabase(t *testing.T) {
	t.Parallel()
	p := load(t, "testdata/supabase.env", "testdata/supabase.yml", "../compose/docker-compose.supabase.yml")
	realtime, err := p.GetService("realtime")
	if err != nil {
		t.Fatal(err)
	}
	checkService(t, realtime)
	if got, want := realtime.ContainerName, "realtime-dev.supabase-realtime"; got != want {
		t.Errorf("the container is %s, and the gateway looks for %s", got, want)
	}
	if got, want := realtime.Image, "ghcr.io/tutti-realtime/tutti:latest"; got != want {
		t.Errorf("the image is %s, want %s", got, want)
	}
	for name, want := range map[string]string{"DB_HOST": "db", "API_JWT_SECRET": "jwt-secret", "SEED_SELF_HOST": "true", "DB_ENC_KEY": "supabaserealtime"} {
		if got := realtime.Environment[name]; got == nil || *got != want {
			t.Errorf("%s is not what it was, %q", name, want)
		}
	}
	if d := realtime.DependsOn["db"]; d.Condition != types.ServiceConditionHealthy {
		t.Errorf("it waits for %q of the database", d.Condition)
	}
}

// checkService checks what is true of Tutti in any compose file.
func checkService(t *testing.T, s types.ServiceConfig) {
	t.Helper()
	if got := s.HealthCheck.Test; !slices.Equal(got, []string{"CMD", "/tutti", "health"}) {
		t.Errorf("the health check is %v", got)
	}
	if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") {
		t.Error("the container may do more than it needs")
	}
	grace, err := time.ParseDuration(*s.Environment["SHUTDOWN_GRACE_MS"] + "ms")
	if err != nil {
		t.Fatal(err)
	}
	if stop := time.Duration(*s.StopGracePeriod); stop < grace+5*time.Second {
		t.Errorf("it is killed after %v, and may take %v to stop", stop, grace)
	}
}
