package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"presfed/agents/internal/message"
	"presfed/agents/internal/sip"
)

// request is a request outside any dialog, from this user.
func (c *Client) request(method string, uri message.URI, to string) *message.Request {
	req := message.NewRequest(method, uri)
	message.Add(req, "Max-Forwards", "70")
	message.Add(req, "From", message.Address{URI: c.aor}.WithTag(sip.NewTag()).String())
	message.Add(req, "To", to)
	message.Add(req, "Call-ID", sip.NewTag()+"@"+c.cfg.Bind.String())
	message.Add(req, "CSeq", message.CSeq{Seq: c.nextCSeq(), Method: method}.String())
	for _, h := range c.cfg.Headers {
		message.Add(req, h.Name, h.Value)
	}
	c.sign(req)
	return req
}

// sign adds who made the request, unless it says so.
func (c *Client) sign(req *message.Request) {
	if c.cfg.Agent != "" && !message.Has(req, "User-Agent") {
		message.Add(req, "User-Agent", c.cfg.Agent)
	}
}

func (c *Client) nextCSeq() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cseq++
	return c.cseq
}

// usedCSeq takes into account what an answered challenge counted up to.
func (c *Client) usedCSeq(res *message.Response) {
	if cseq, err := message.CSeqOf(res); err == nil {
		c.mu.Lock()
		c.cseq = max(c.cseq, cseq.Seq)
		c.mu.Unlock()
	}
}

// hears gives, for each time an INVITE is sent, who hears every provisional
// response and every 2xx to it, late ones and repeated ones too. Nil: nobody.
type hears func(invite *message.Request) (heard func(*message.Response))

// do sends req to the next hop, answers challenges, tries the next address of
// the server where one fails, and gives the final response: a 2xx, or a
// *RefusedError beside it. Without to, the next hop is the server.
func (c *Client) do(ctx context.Context, req *message.Request, to []sip.Target, h hears) (*message.Response, error) {
	if err := c.show(req); err != nil {
		return nil, err
	}
	if to == nil {
		var err error
		if to, err = c.targets(ctx); err != nil {
			return nil, err
		}
	}
	attempt := c.auth.Begin(req)
	for {
		res, err := c.failover(ctx, attempt.Request(), to, h)
		if err != nil {
			return nil, err
		}
		c.usedCSeq(res)
		switch {
		case res.StatusCode/100 == 2:
			return res, nil
		case res.StatusCode != 401 && res.StatusCode != 407:
			return res, &RefusedError{Method: req.Method, Response: res}
		case c.cfg.Password == "":
			return res, fmt.Errorf("%w: the server asks for a password, and none is given", ErrAuthentication)
		}
		if _, err = attempt.Retry(res); err != nil {
			return res, fmt.Errorf("%w: %w", ErrAuthentication, err)
		}
	}
}

// lasting is do for a request with Expires. With lengthen, a 423 is asked again
// with what its Min-Expires demands (RFC 3261 section 10.2.8, RFC 3903 section 4.1, RFC 6665
// section 4.1.2.1).
func (c *Client) lasting(ctx context.Context, req *message.Request, to []sip.Target, lengthen bool) (*message.Response, error) {
	asked, _ := message.Seconds(req, "Expires")
	res, err := c.do(ctx, message.Clone(req), to, nil)
	if !lengthen || !refusedWith(err, 423) {
		return res, err
	}
	least, ok := message.Seconds(res, "Min-Expires")
	if !ok || least <= asked {
		return res, err
	}
	again := message.Clone(req)
	message.Set(again, "Expires", fmt.Sprint(least))
	cseq, cerr := message.CSeqOf(res)
	if cerr != nil {
		return res, err
	}
	cseq.Seq++
	message.Set(again, "CSeq", cseq.String())
	return c.do(ctx, again, to, nil)
}

// failover goes through the addresses of the next hop (RFC 3263 section 4.3).
func (c *Client) failover(ctx context.Context, req *message.Request, to []sip.Target, h hears) (res *message.Response, err error) {
	for i, target := range to {
		res, err = c.exchange(ctx, message.Clone(req), target, h)
		failed := errors.Is(err, sip.ErrTransport) || errors.Is(err, sip.ErrTimeout) || res != nil && res.StatusCode == 503
		if !failed || i == len(to)-1 {
			break
		}
		c.log.Info("next address of the server", "failed", target.Addr, "error", err)
	}
	return res, err
}

// exchange is one transaction. An INVITE whose ctx ends is cancelled; what
// still answers it is told to h.
func (c *Client) exchange(ctx context.Context, req *message.Request, to sip.Target, h hears) (*message.Response, error) {
	type final struct {
		res *message.Response
		err error
	}
	heard := func(*message.Response) {}
	if h != nil {
		heard = h(message.Clone(req))
	}
	method := req.Method
	done := make(chan final, 1)
	tx := c.endpoint.Send(req, to, func(res *message.Response, err error) {
		if err == nil && res.StatusCode < 300 {
			heard(res)
		}
		if err == nil && res.StatusCode < 200 {
			return
		}
		select {
		case done <- final{res, err}:
		default: // a 2xx that came again
		}
	})
	select {
	case f := <-done:
		return f.res, f.err
	case <-ctx.Done():
		tx.Cancel() // INVITE only
		return nil, fmt.Errorf("%s: %w", method, context.Cause(ctx))
	}
}

// seconds is a duration on the wire, whole.
func seconds(d time.Duration) string { return fmt.Sprint(int64(d / time.Second)) }
