"""Between the web server and the views: middleware, kept pages, assets, errors, the request's parts."""
