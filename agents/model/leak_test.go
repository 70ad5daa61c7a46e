package model

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"presfed/agents/programs"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		programs.Remove()
		os.Exit(code)
	}))
}
