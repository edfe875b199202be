package rls

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(postmastertest.With(m)) }
