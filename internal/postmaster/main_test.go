package postmaster

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// keeperVariable turns the test binary into a process that keeps a PostgreSQL in
// the folder it names, until it is interrupted or killed.
const keeperVariable = "TUTTI_TEST_KEEP"

func TestMain(m *testing.M) {
	if dir := os.Getenv(keeperVariable); dir != "" {
		os.Exit(keep(dir))
	}
	goleak.VerifyTestMain(m)
}

func keep(dir string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT)
	defer stop()
	s, err := Start(ctx, Config{Dir: dir, Throwaway: true})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	<-ctx.Done()
	if err := s.Stop(context.Background()); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}
