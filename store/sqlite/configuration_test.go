package sqlite_test

import (
	"testing"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/storetest"
)

func TestConfigurations(t *testing.T) {
	storetest.RunConfigurations(t, func(t *testing.T) store.Configurations { return open(t) })
}
