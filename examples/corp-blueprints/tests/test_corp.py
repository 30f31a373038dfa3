"""The blueprints, run for pretended machines."""

from __future__ import annotations

from corp_blueprints import web

from converge.testing import declare


def test_a_web_server_has_what_every_machine_has_and_its_sites() -> None:
    site = declare(web, sites=["shop", "blog"])
    assert site.has("file:/etc/corp/shop.conf")
    assert site["file:/etc/corp/stage"].content == "production\n"
    assert site.comes_before("file:/etc/corp", "file:/etc/corp/blog.conf")


def test_the_sites_must_be_given() -> None:
    assert "sites (a list of texts) is missing" in str(declare(web).mistakes[0])
