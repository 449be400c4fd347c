package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// most is how many bytes of an answer or a request are read.
const most = 1 << 20

var outbound = &http.Client{Timeout: 5 * time.Second}

// call sends body as JSON unless it is nil, with the password unless it is "", and decodes a good answer into out unless
// that is nil.
func call(ctx context.Context, method, url, password string, body, out any) error {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, url, &text)
	if err != nil {
		return err
	}
	if password != "" {
		request.Header.Set("Authorization", "Bearer "+password)
	}
	response, err := outbound.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s answers %s: %s", method, url, response.Status, strings.TrimSpace(string(said)))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(said, out)
}
