package sqlite_test

import (
	"testing"

	"github.com/hookswitch/hookswitch/store/storetest"
)

func BenchmarkOutbox(b *testing.B) { storetest.BenchOutbox(b, open) }
