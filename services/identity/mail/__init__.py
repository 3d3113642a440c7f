"""Mails: their texts, and how they leave."""
