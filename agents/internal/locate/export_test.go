package locate

// CloseDB takes the directory away under a Consult.
func CloseDB(c *Consult) error { return c.cfg.DB.Close() }
