package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"
)

// secret signs all deliveries.
var secret = []byte("a secret of twenty-four bytes or more")

// sign returns the headers of a message as Standard Webhooks wants them.
func sign(id string, body []byte, at time.Time) (map[string]string, error) {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	if _, err := fmt.Fprintf(mac, "%s.%s.%s", id, seconds, body); err != nil {
		return nil, err
	}
	return map[string]string{"content-type": "application/json", "webhook-id": id, "webhook-timestamp": seconds,
		"webhook-signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}, nil
}
