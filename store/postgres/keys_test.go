package postgres_test

import (
	"testing"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/storetest"
)

func TestKeys(t *testing.T) {
	storetest.RunKeys(t, func(t *testing.T) store.Keys { return open(t) })
}

func TestSecrets(t *testing.T) {
	storetest.RunSecrets(t, func(t *testing.T) store.Secrets { return open(t) })
}

func TestRequests(t *testing.T) {
	storetest.RunRequests(t, func(t *testing.T) store.Requests { return open(t) })
}
