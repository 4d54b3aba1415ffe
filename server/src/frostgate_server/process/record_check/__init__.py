"""The process of the background check, and its handle in the supervisor; the checks themselves are in storage, and this
package handles no calls."""
